"""What Ultralytics reads out of a model's name and rows: its scale, its task and its class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ultralytics.nn import tasks


def scale_letter(name: str | Path) -> str:
    """The letter of the scale in a model's name, "n" for `yolo11n-cot.yaml`; "" if there is none."""
    return tasks.guess_model_scale(name)


def unscaled(path: Path) -> Path:
    """The path without the scale's letter in its name: `yolo11n-cot.yaml` becomes `yolo11-cot.yaml`.

    Ultralytics takes the letter out of the whole path, `/data/run2x/…` included; here only the name loses it.
    """
    return path.with_name(re.sub(r"(\d+)[nslmx](?=\D|$)", r"\1", path.name, count=1))


def task_of(config: dict[str, Any]) -> str:
    """The task of a model YAML, told by its last row: `detect`, `segment`, `classify`, …"""
    return tasks.guess_model_task(config) or "detect"  # RT-DETR's head is none that it knows


def opened(model: str | Path) -> Any:
    """A model file opened by the class that its head needs: a YAML of RT-DETR by `RTDETR`, all else by `YOLO`.

    `YOLO(...)` finds the class of a checkpoint and of all other YAMLs by itself.
    """
    from ultralytics import RTDETR, YOLO  # not before start-up is done

    if Path(model).suffix in (".yaml", ".yml"):
        head = tasks.yaml_model_load(model).get("head")  # whatever a wrong YAML holds there: `YOLO` tells what is wrong
        if isinstance(head, list) and head and isinstance(head[-1], list) and "RTDETRDecoder" in head[-1]:
            return RTDETR(model)
    return YOLO(model)


def opened_export(file: str | Path, task: str, weights: str | Path) -> Any:
    """A file that a checkpoint was exported to, opened by the class of the checkpoint.

    Older releases find no class in the file itself.
    """
    from ultralytics import RTDETR, YOLO

    return RTDETR(file) if isinstance(YOLO(weights), RTDETR) else YOLO(file, task=task)
