"""The embedded data set, and the settings that suit it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...paths import data_dir

MODEL = "yolo11n-cot.yaml"
DATA = "shapes.yaml"

# What learns the embedded set from scratch in a few minutes on two CPU cores: small pictures, an optimiser step for
# every eight of them, and no augmentation that makes them harder than they are. The best epoch is chosen on
# `val`, so the result is measured on `test`.
RECIPE: Mapping[str, Any] = {
    "epochs": 8,
    "imgsz": 128,
    "batch": 8,
    "nbs": 8,
    "optimizer": "AdamW",
    "lr0": 0.004,
    "momentum": 0.9,
    "warmup_epochs": 0.5,
    "cls": 1.0,
    "mosaic": 0.0,
    "scale": 0.2,
    "hsv_h": 0.0,
    "hsv_s": 0.0,
    "hsv_v": 0.0,
    "amp": False,
    "workers": 0,
    "split": "test",
}


def with_recipe(data: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The train arguments: for the embedded set the recipe unless they say otherwise, for any other as they are."""
    file = Path(data)
    embedded = file.resolve() == (data_dir() / DATA).resolve() if file.exists() else file == Path(DATA)
    return {**(RECIPE if embedded else {}), **settings}
