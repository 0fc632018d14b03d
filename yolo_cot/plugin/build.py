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

from .catalog.files import KEY as BLOCKS_KEY
from .layers import is_head, known_module
from .plain_rows import activation_module
from .probe import SETTINGS, class_state, probe
from .row_errors import RowError, located, rows, where

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


_READ = {*SETTINGS, BLOCKS_KEY, "activation", "channels", "ch", "inplace", "backbone", "head"}
# Beyond these a model would take gigabytes.
_MOST_CHANNELS, _MOST_PARAMETERS, _MOST_VALUES, _SIDE = 64, 1 << 29, 1 << 26, 256


def build(config: dict[str, Any], scale: str = "", name: str = "") -> nn.Module:
    """Build a model, as `YOLO(...)` would, with fresh weights, to look at it: nothing that the YAML says is run.

    Args:
        config: the model YAML as a dictionary; it is not changed.
        scale: the letter of the scale; the first one of the YAML if empty.
        name: the file's name, for errors.

    Raises:
        ValueError: a row is no layer or cannot be built, or the model is larger than any network.
    """
    config = {key: copy.deepcopy(value) for key, value in config.items() if key in _READ}
    config["scale"] = scale or next(iter(config.get("scales") or [""]))
    if name:
        config["yaml_file"] = name
    _refuse(config)
    for row in rows(config):
        if row[2] == "TorchVision":
            row[3][2:3] = [None]  # "DEFAULT" would download weights
    try:
        with quiet(), class_state(rows(config)[-1][2]):
            return model_class(config)(config, verbose=False)
    except RowError:
        raise
    except Exception as error:  # any module may raise anything
        raise located(config, error) from error


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


def _refuse(config: dict[str, Any]) -> None:
    """Refuse a model that is no network: what it says is looked at without memory and arithmetic first."""
    file, activation = where(config), config.get("activation")
    if activation and activation_module(activation) is None:
        raise RowError(f"{file} has the activation {str(activation)[:80]!r}, which is run as Python; it is not built.")
    channels = config.get("channels", config.get("ch", 3))
    if not isinstance(channels, int) or not 1 <= channels <= _MOST_CHANNELS:
        raise RowError(f"{file} needs channels from 1 to {_MOST_CHANNELS}; got {str(channels)[:80]}.")
    if not is_head(rows(config)[-1][2]):
        raise RowError(f"{where(config, len(rows(config)) - 1)} must be a head (Detect, Segment, Classify, …).")
    parameters = 0
    for index, row in enumerate(probe(config, config["scale"], _SIDE, channels)):
        at = where(config, index)
        if row.error:
            raise RowError(f"{at} cannot be built: {row.error}")
        if row.unchecked and not known_module(rows(config)[index][2]):
            raise RowError(f"{at}: {row.unchecked}.")
        parameters += sum(p.numel() for p in row.module.parameters()) if row.module else 0
        if parameters > _MOST_PARAMETERS:
            raise RowError(f"{at} brings the model to {parameters} parameters; {_MOST_PARAMETERS} is the most.")
        outputs = row.output if isinstance(row.output, (list, tuple)) else [row.output]
        if any(o is not None and o.numel() > _MOST_VALUES for o in outputs):
            raise RowError(f"{at} gives a map of {row.shape} for an image of {_SIDE} pixels, which no network has.")
