"""What Ultralytics reads out of a model's name and rows: its scale and its task."""

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
    return tasks.guess_model_task(config)
