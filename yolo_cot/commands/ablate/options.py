"""The arguments of `yolo-cot ablate`, and the train arguments that they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from ultralytics.cfg import get_cfg
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

from ..arguments import Rule, argument, at_least, others
from .latency import RUNTIMES

# Every run has a folder and a seed of its own, and the same budget as the others.
OURS = {"model", "task", "mode", "cfg", "seed", "name", "exist_ok", "save_dir", "save", "val", "resume", "time"}
# No early stop, so that every run has the same budget, and no pictures of each.
DEFAULTS = {"plots": False, "patience": 0}
POINTS = Rule("of points (hundredths of the metric) above 0", lambda value: value > 0)
SURE = Rule("from 0.5 to below 1, such as 0.95", lambda value: 0.5 <= value < 1)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot ablate models=yolo11n.yaml,yolo11n-cot.yaml data=coco8.yaml seeds=5 epochs=50"""

    models: tuple[str, ...] = argument("model YAMLs with commas between them, the base first", ())
    data: str = argument("the data set", "")
    seeds: int = argument("how many seeds", 5, rule=at_least(1))
    project: Path = argument("the folder of the ablation", Path("runs/ablate"))
    device: tuple[str, ...] = argument("where to train; several names make as many runs at once", ("",))
    split: str = argument("the split that is measured", "val", choices=("val", "test", "train"))
    controls: bool = argument("whether to add a plain convolution and a wider base as controls", True)
    equal_latency: bool = argument("whether to add the base widened to the same time in onnxruntime", False)
    any_budget: bool = argument("whether to train models whose gates cannot open in the steps there are", False)
    runtime: str | None = argument("where the time for a picture is taken (torch by default)", None, choices=RUNTIMES)
    ray: str = argument("the address of a Ray cluster, or auto; without it this machine alone", "")
    metric: str = argument("what is compared, such as map, map50, last_map; the task's own by default", "")
    confidence: float | None = argument("of all intervals together, 0.95 by default", None, rule=SURE)
    report: bool = argument("whether to write only the report of what is finished", False)
    plan: float | None = argument("only say how many seeds show a gain of so many points", None, rule=POINTS)
    sd: float | None = argument("the spread to plan with, in points; that of the project's runs by default", None)
    settings: dict[str, Any] = others("any train argument of Ultralytics", known=DEFAULT_CFG_DICT.keys() - OURS)


# What another machine or another look at the same runs may have otherwise.
ELSEWHERE = {"models", "data", "seeds", "project", "device", "ray", "split", "report", "plan", "sd", "settings"}


def own(arguments: Arguments) -> dict[str, Any]:
    """The arguments that repeat an ablation beside its plan: those that are not at their defaults."""
    return {
        field.name: value
        for field in fields(arguments)
        if field.name not in ELSEWHERE and (value := getattr(arguments, field.name)) != field.default
    }


class Look(NamedTuple):
    """How the runs of an ablation are looked at."""

    metric: str = ""  # the task's own
    confidence: float = 0.95
    runtime: str = "torch"


def look(arguments: Arguments, begun: Mapping[str, Any]) -> Look:
    """What is named, else what the ablation was begun with (its plan's `own`): who could choose after a look would."""
    before = {**Look()._asdict(), **begun}
    return Look(*(getattr(arguments, name) or before[name] for name in Look._fields))


def train_settings(arguments: Arguments) -> dict[str, Any]:
    """The train arguments of every run: what was given, with full paths, and our own defaults.

    Raises:
        ValueError: an argument that would give the runs different budgets, or a device that is not there.
        FileNotFoundError: no such file of weights.
    """
    settings = {**DEFAULTS, **arguments.settings, "data": arguments.data}
    batch, weights = settings.get("batch", 16), settings.get("pretrained")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ValueError(
            f"yolo-cot ablate needs the same batch for every model, none chosen by memory; got batch={batch}. "
            "Give a whole number."
        )
    if isinstance(weights, (str, Path)):
        # Here and now, for runs that start at the same time would all download it.
        file = Path(attempt_download_asset(weights) if str(weights) in GITHUB_ASSETS_NAMES else weights)
        if not file.exists():
            raise FileNotFoundError(
                f"no weights in pretrained={weights}. Give the path of a .pt file, or leave it out."
            )
        settings["pretrained"] = str(file.resolve())
    if Path(arguments.data).exists():
        settings["data"] = str(Path(arguments.data).resolve())
    for device in arguments.device:
        if device.isdigit() and int(device) >= torch.cuda.device_count() and not arguments.ray:
            raise ValueError(
                f"device={device} is not there: PyTorch sees {torch.cuda.device_count()} GPUs. Use device=cpu."
            )
    get_cfg(overrides=dict(settings))
    return settings
