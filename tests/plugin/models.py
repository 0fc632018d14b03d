"""Small model dictionaries for the tests of the plugin."""

from __future__ import annotations

import copy
from typing import Any

from ultralytics.nn.tasks import DetectionModel

SCALES = {
    "n": [0.5, 0.25, 1024],
    "s": [0.5, 0.5, 1024],
    "m": [0.5, 1.0, 512],
    "l": [1.0, 1.0, 512],
    "x": [1.0, 1.5, 512],
}


def with_row(row: list[Any], scale: str = "n", part: str = "backbone", **more: Any) -> dict[str, Any]:
    """A two-stage detector with one more row: row 2 of the backbone, or row 3 as the first of the head."""
    model = {
        "nc": 3,
        "scales": SCALES,
        "scale": scale,
        "yaml_file": "mine.yaml",
        "backbone": [[-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [128, 3, 2]]],
        "head": [[[-1], 1, "Detect", ["nc"]]],
        **more,
    }
    if part == "head":
        model["backbone"].append([-1, 1, "Conv", [128, 3, 2]])
    model["backbone" if part == "backbone" else "head"].insert(2 if part == "backbone" else 0, row)
    return model


def build(row: list[Any], scale: str = "n", part: str = "backbone", **more: Any) -> DetectionModel:
    """The model of `with_row`, built."""
    return DetectionModel(copy.deepcopy(with_row(row, scale, part, **more)), verbose=False)
