"""The arguments of `yolo-cot ablate`, read and checked before anything is trained."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ultralytics.cfg import get_cfg
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

from .results import METRICS

EXAMPLE = "yolo-cot ablate models=yolo11n.yaml,yolo11n-cot.yaml data=coco8.yaml seeds=5 epochs=50"
# Every run has a folder and a seed of its own, and the same budget as the others.
OURS = ("model", "task", "mode", "cfg", "seed", "name", "exist_ok", "save_dir", "save", "val", "resume", "time")
# No early stop, so that every run has the same budget, and no pictures of each.
DEFAULTS = {"plots": False, "patience": 0}
SPLITS = ("val", "test", "train")


@dataclass
class Options:
    """What can be asked for.

    Attributes:
        models: model YAMLs, the base first.
        seeds: how many.
        project: folder of the ablation.
        device: where to train; several names make as many runs at once.
        split: the split that is measured.
        controls: whether to add the controls.
        ray: address of a Ray cluster, or "auto"; empty for this machine alone.
        metric: what is compared, a key of `METRICS`.
        confidence: of all intervals together.
        report: only write the report of what is finished.
        plan: only say how many seeds show a gain of so many points.
        sd: the spread to plan with, in points.
        settings: Ultralytics' train arguments.
    """

    models: list[str] = field(default_factory=list)
    seeds: int = 5
    project: Path = Path("runs/ablate")
    device: list[str] = field(default_factory=lambda: [""])
    split: str = "val"
    controls: bool = True
    ray: str = ""
    metric: str = "map"
    confidence: float = 0.95
    report: bool = False
    plan: float | None = None
    sd: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)


OWN = tuple(name for name in Options.__dataclass_fields__ if name != "settings")


def read(overrides: Mapping[str, object]) -> Options:
    """Read and check the arguments.

    Raises:
        ValueError: one that does not exist or does not fit.
    """
    _names(overrides)
    own: dict[str, Any] = {key: value for key, value in overrides.items() if key in OWN}
    for key in own.keys() & {"models", "device"}:
        own[key] = listed(own[key]) or [""]
    if "project" in own:
        own["project"] = Path(str(own["project"]))
    options = Options(**own, settings={key: value for key, value in overrides.items() if key not in OWN})
    options.project, options.ray = options.project.resolve(), str(options.ray or "")
    for key in ("controls", "report"):
        _check(isinstance(getattr(options, key), bool), f"{key}=True or {key}=False", getattr(options, key))
    whole = isinstance(options.seeds, int) and not isinstance(options.seeds, bool)
    _check(whole and options.seeds >= 1, "seeds as a whole number of 1 or more", options.seeds)
    _check(options.metric in METRICS, f"metric from {', '.join(METRICS)}", options.metric)
    _check(options.split in SPLITS, f"split from {', '.join(SPLITS)}", options.split)
    sure = _is_number(options.confidence) and 0.5 <= options.confidence < 1
    _check(sure, "confidence from 0.5 to below 1, such as 0.95", options.confidence)
    for key in ("plan", "sd"):
        value = getattr(options, key)
        fits = value is None or (_is_number(value) and value > 0)
        _check(fits, f"{key} in points (hundredths of mAP) above 0", value)
    return options


def train_settings(options: Options) -> dict[str, Any]:
    """The train arguments of every run: what was given, with full paths, and our own defaults.

    Raises:
        ValueError: an argument that would give the runs different budgets, or a device that is not there.
        FileNotFoundError: no such file of weights.
    """
    settings = {**DEFAULTS, **options.settings}
    _check(
        "data" in settings and isinstance(settings["data"], (str, Path)),
        "data=, one data set's YAML",
        settings.get("data"),
    )
    batch = settings.get("batch", 16)
    _check(_is_number(batch) and batch >= 1, "the same batch for every model, so none chosen by memory", batch)
    weights = settings.get("pretrained")
    known = isinstance(weights, (str, Path)) and str(weights) in GITHUB_ASSETS_NAMES  # Ultralytics downloads these
    if isinstance(weights, (str, Path)) and not known and not Path(weights).is_file():
        raise FileNotFoundError(f"no weights in pretrained={weights}. Give the path of a .pt file, or leave it out.")
    for key in ("data", "pretrained"):
        if isinstance(settings.get(key), (str, Path)) and Path(settings[key]).is_file():
            settings[key] = str(Path(settings[key]).resolve())
    for device in options.device:
        if device.isdigit() and int(device) >= torch.cuda.device_count() and not options.ray:
            raise ValueError(
                f"device={device} is not there: PyTorch sees {torch.cuda.device_count()} GPUs. Use device=cpu."
            )
    get_cfg(overrides=dict(settings))
    return settings


def listed(value: object) -> list[str]:
    """Names with commas between them, or a list of them, as a list."""
    if isinstance(value, (list, tuple)):
        return [str(v) for v in value]
    return [word.strip() for word in str(value).strip("[]() ").replace("'", "").split(",") if word.strip()]


def _names(overrides: Mapping[str, object]) -> None:
    """Refuse arguments that do not exist, or that every run has of its own."""
    for key in overrides:
        if key in OURS:
            raise ValueError(
                f"yolo-cot ablate sets {key} itself, for every run; got {key}={overrides[key]}. "
                f"{'Did you mean models=?' if key == 'model' else 'Leave it out.'}"
            )
        if key not in OWN and key not in DEFAULT_CFG_DICT:
            close = difflib.get_close_matches(key, [*OWN, *DEFAULT_CFG_DICT], 1)
            hint = f"Did you mean '{close[0]}'? " if close else ""
            raise ValueError(f"yolo-cot ablate has no argument '{key}'. {hint}Example: {EXAMPLE}")


def _check(fits: bool, needed: str, got: object) -> None:
    if not fits:
        raise ValueError(f"yolo-cot ablate needs {needed}; got {got}. Example: {EXAMPLE}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
