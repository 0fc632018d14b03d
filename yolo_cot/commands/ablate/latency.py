"""How long each model takes for one picture on a runtime, measured beside each other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from ultralytics.nn.autobackend import AutoBackend

from ...plugin.naming import opened, opened_export
from ...whole_file import read_json, write_json
from ..timing import device_name, interleaved
from . import detections
from .plan import Plan
from .statistics import interval

RUNTIMES = ("torch", "torchscript", "onnx", "openvino", "engine", "ncnn", "mnn")
# The medians of so many turns of so many rounds make the intervals.
TURNS, ROUNDS = 5, 10


def exported(weights: Path, runtime: str, size: int) -> Path:
    """The file that a runtime takes: the checkpoint itself, or what Ultralytics exports beside it.

    Raises:
        ValueError: it cannot be exported here.
    """
    if runtime == "torch":
        return weights
    try:
        return Path(opened(weights).export(format=runtime, imgsz=size))
    except Exception as error:  # an export may fail in whatever library the runtime brings
        raise ValueError(f"{weights} cannot be exported for runtime={runtime}: {error}") from error


def forward(file: Path, size: int, device: str = "cpu") -> Callable[[], object]:
    """The function that runs a model file once on a random picture, without pre- and postprocessing."""
    backend = AutoBackend(str(file), device=torch.device(device))
    return partial(backend, torch.rand(1, 3, size, size, device=device))


def medians(functions: Mapping[str, Callable[[], object]], device: str) -> dict[str, tuple[float, float, float]]:
    """Milliseconds of each function and their 95 % interval; all take turns, so all meet the same disturbances."""
    with torch.inference_mode():
        turns = [interleaved(functions, ROUNDS, device) for _ in range(TURNS)]
    found = {}
    for name in functions:
        times = [1e3 * turn[name] for turn in turns]
        found[name] = (statistics.fmean(times), *interval(times, 0.95))
    return found


def measure(plan: Plan, runtime: str, device: str) -> dict[str, Any]:
    """Time the best checkpoint of a finished run of every model, and keep what was found in `latency.json`.

    Args:
        plan: the plan.
        runtime: one of `RUNTIMES`.
        device: "cpu" or a CUDA device.

    Returns:
        `forward` and `whole`, the latter with pre- and postprocessing as `YOLO.predict` does them: by label the
        milliseconds and the ends of their interval; and how they were measured.
    """
    weights, picture = {}, None
    for run in plan.runs():
        file = run.folder / "weights" / "best.pt"
        if run.label not in weights and run.finished and file.is_file():
            weights[run.label] = file
            seen = detections.load(run.folder)
            picture = cv2.imread(str(seen.files[0])) if picture is None and seen is not None else picture
    size = int(plan.settings.get("imgsz", 640))
    if picture is None:
        picture = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    files = {label: exported(file, runtime, size) for label, file in weights.items()}
    alone = {label: forward(file, size, device) for label, file in files.items()}
    usual = {"imgsz": size, "device": device, "verbose": False}
    whole = {
        label: partial(opened_export(file, plan.task, weights[label]).predict, picture, **usual)
        for label, file in files.items()
    }
    found = {
        "forward": medians(alone, device),
        "whole": medians(whole, device),
        "runtime": runtime,
        "device": device_name(device),
        "imgsz": size,
        "rounds": TURNS * ROUNDS,
        "threads": torch.get_num_threads(),
    }
    write_json(plan.folder / "latency.json", found)
    return found


def latencies(plan: Plan, runtime: str, device: str) -> dict[str, Any]:
    """What was measured before, unless a model has no time on this runtime yet; then all is measured anew."""
    file = plan.folder / "latency.json"
    try:
        kept = read_json(file) if file.is_file() else {}
    except ValueError:
        kept = {}
    labels = {run.label for run in plan.runs() if run.finished and (run.folder / "weights" / "best.pt").is_file()}
    if labels and (kept.get("runtime") != runtime or not labels <= kept["forward"].keys()):
        where = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return measure(plan, runtime, f"cuda:{where}" if where.isdigit() else where)
    return kept
