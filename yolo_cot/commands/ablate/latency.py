"""How long each model of an ablation takes for one picture, measured beside each other after the runs."""

from __future__ import annotations

import platform
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO

from ..timing import interleaved
from .files import read_json, write_json
from .plan import Plan

ROUNDS = 50


def measure(plan: Plan, device: str = "cpu", rounds: int = ROUNDS) -> dict[str, Any]:
    """Time the fused models of the finished runs on one picture, without pre- and postprocessing, and keep the medians.

    Every round runs each model once in one process, so all meet the same disturbances.

    Args:
        plan: the plan; the medians are kept in its folder's `latency.json`.
        device: "cpu" or a CUDA device.
        rounds: how many.

    Returns:
        `milliseconds` by label, `device`, `imgsz`, `rounds` and `threads`.
    """
    weights: dict[str, Path] = {}
    for run in plan.runs():
        file = run.folder / "weights" / "best.pt"
        if run.result() is not None and file.is_file():
            weights.setdefault(run.label, file)
    size = int(plan.settings.get("imgsz", 640))
    x = torch.rand(1, 3, size, size, device=device)
    models = {label: YOLO(file).model.to(device).float().eval().fuse(verbose=False) for label, file in weights.items()}
    with torch.inference_mode():
        seconds = interleaved({label: partial(model, x) for label, model in models.items()}, rounds, device)
    cuda = torch.device(device).type == "cuda"
    found = {
        "milliseconds": {label: round(1e3 * s, 3) for label, s in seconds.items()},
        "device": torch.cuda.get_device_name(device) if cuda else f"{platform.machine()} processor",
        "imgsz": size,
        "rounds": rounds,
        "threads": torch.get_num_threads(),
    }
    write_json(plan.folder / "latency.json", found)
    return found


def kept(plan: Plan) -> dict[str, Any]:
    """What was measured before; empty if nothing was, or its file is damaged."""
    file = plan.folder / "latency.json"
    try:
        return read_json(file) if file.is_file() else {}
    except ValueError:
        return {}
