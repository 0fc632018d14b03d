"""Build the model that a YAML dictionary describes, of whatever task, without fetching weights."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

from .probe import class_state
from .row_errors import rows

# Heads whose models are of a class of their own; all others go by the task that Ultralytics guesses.
_BY_HEAD = {
    "RTDETRDecoder": "RTDETRDetectionModel",
    "WorldDetect": "WorldModel",
    "YOLOEDetect": "YOLOEModel",
    "YOLOESegment": "YOLOESegModel",
    "YOLOESegment26": "YOLOESegModel",
}
_BY_TASK = {
    "detect": "DetectionModel",
    "segment": "SegmentationModel",
    "semantic": "SemanticSegmentationModel",
    "pose": "PoseModel",
    "obb": "OBBModel",
    "classify": "ClassificationModel",
    "depth": "DepthModel",
}


def build(config: dict[str, Any], scale: str = "", name: str = "") -> nn.Module:
    """Build a model, as `YOLO(...)` would, with fresh weights.

    Args:
        config: the model YAML as a dictionary; it is not changed.
        scale: the letter of the scale; the first one of the YAML if empty.
        name: the file's name, for errors.

    Raises:
        ValueError: a row cannot be built.
    """
    config = copy.deepcopy(config)
    config["scale"] = scale or next(iter(config.get("scales") or [""]))
    if name:
        config["yaml_file"] = name
    for row in rows(config):
        if row[2] == "TorchVision":
            row[3][2:3] = [None]  # "DEFAULT" would download weights
    with quiet(), class_state(rows(config)[-1][2]):
        return model_class(config)(config, verbose=False)


def model_class(config: dict[str, Any]) -> type[nn.Module]:
    """The class of Ultralytics whose models a YAML describes, by its last row."""
    return getattr(tasks, _BY_HEAD.get(rows(config)[-1][2]) or _BY_TASK[tasks.guess_model_task(config)])


@contextmanager
def quiet() -> Iterator[None]:
    """Only warnings of Ultralytics: a classifier prints its summary whatever `verbose` says."""
    level = LOGGER.level
    LOGGER.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        LOGGER.setLevel(level)
