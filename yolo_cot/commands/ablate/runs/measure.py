"""Validate a checkpoint of a run, and turn what Ultralytics says into numbers to keep."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
from ultralytics import YOLO

from ....plugin.gates import curves as gate_curves
from .. import detections
from ..tasks import METRICS, WITH_BOXES
from .recorder import BoxKeeper

# What a validation shares with its training; the rest says how to learn.
SHARED = ("data", "imgsz", "batch", "device", "workers", "single_cls", "classes", "iou", "max_det", "augment", "half")
POINTS = 101


def measure(weights: Path, args: Any, split: str, folder: Path, name: str) -> dict[str, Any]:
    """Validate a checkpoint, and keep the boxes that it finds beside it.

    Args:
        weights: the checkpoint.
        args: the arguments of its training.
        split: the split to validate on.
        folder: the run's folder.
        name: "best" or "last"; only of the best the boxes and curves are kept.

    Returns:
        The task's metrics by short name; for the best also `classes`, `sizes` and `curves` where the task has them.

    Raises:
        ValueError: a metric that is no number.
    """
    model = YOLO(weights)
    kept: list[Any] = []
    whole = name == "best" and model.task in WITH_BOXES
    shared = {key: getattr(args, key) for key in SHARED if hasattr(args, key)}
    if whole:
        stock = model.task_map[model.task]["validator"]
        shared["validator"] = type("Validator", (BoxKeeper, stock), {})
        model.add_callback("on_val_end", kept.append)
    metrics = model.val(**shared, split=split, plots=False, project=str(folder), name=name, exist_ok=True)
    found: dict[str, Any] = {s: float(metrics.results_dict[m.key]) for s, m in METRICS[model.task].items()}
    for short, value in found.items():
        if not math.isfinite(value):
            raise ValueError(f"{short} of the {name} epoch is {value}: the training came to nothing. Try a lower lr0=.")
    if name == "best":
        found["classes"] = per_class(metrics, model.task)
    if whole:
        boxes = kept[0].detections()
        boxes.save(folder)
        found["sizes"] = detections.by_size(boxes, range(len(metrics.names)))
        found["curves"] = curves(getattr(metrics, {"segment": "seg", "pose": "pose"}.get(model.task, "box")))
    return found


def per_class(metrics: Any, task: str) -> dict[str, float]:
    """The task's first metric for every class that the split holds, by name."""
    which = {"semantic": 0, "classify": None, "depth": None}.get(task, -1)
    if which is None:
        return {}
    return {
        str(metrics.names[int(c)]): float(metrics.class_result(i)[which]) for i, c in enumerate(metrics.ap_class_index)
    }


def curves(metric: Any) -> dict[str, list[float]]:
    """Curves at an overlap of 0.5, means over the classes, at 101 points from 0 to 1.

    Returns:
        `precision_over_recall`, and `precision` and `recall` over the confidence.
    """
    points = np.linspace(0, 1, POINTS)

    def at_points(values: Any) -> list[float]:
        mean = np.asarray(values, dtype=float).reshape(-1, len(metric.px)).mean(0)
        return [round(float(v), 4) for v in np.interp(points, metric.px, mean)]

    if not len(metric.ap_class_index):
        return {}
    found = {"precision_over_recall": metric.prec_values, "precision": metric.p_curve, "recall": metric.r_curve}
    return {name: at_points(values) for name, values in found.items()}


def history(folder: Path, key: str) -> dict[str, Any]:
    """How a training went, from the tables that it wrote: a metric on `val` and every gate's mean |gamma|, by epoch."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = [{name.strip(): value for name, value in row.items()} for row in csv.DictReader(file)]
    columns, gates = gate_curves.read(folder / gate_curves.FILE)
    return {
        "curve": [float(row[key]) for row in rows],
        "gates": {
            name.removesuffix("/abs"): [row[i] for row in gates]
            for i, name in enumerate(columns)
            if name.endswith("/abs")
        },
    }
