"""What Ultralytics reads out of a model's name and rows: its scale and its task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ultralytics.nn import tasks


def scale_letter(name: str | Path) -> str:
    """The letter of the scale in a model's name, "n" for `yolo11n-cot.yaml`; "" if there is none."""
    return tasks.guess_model_scale(name)


def task_of(config: dict[str, Any]) -> str:
    """The task of a model YAML, told by its last row: `detect`, `segment`, `classify`, …"""
    return tasks.guess_model_task(config)
