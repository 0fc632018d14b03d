"""Build the model that a YAML dictionary describes, of whatever task, without fetching weights."""

from __future__ import annotations

import copy
import logging
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
    head = config["head"][-1][2]
    cls = getattr(tasks, _BY_HEAD.get(head) or _BY_TASK[tasks.guess_model_task(config)])
    level = LOGGER.level
    # A classifier prints its summary whatever `verbose` says.
    LOGGER.setLevel(max(level, logging.WARNING))
    try:
        with class_state(head):
            return cls(config, verbose=False)
    finally:
        LOGGER.setLevel(level)
