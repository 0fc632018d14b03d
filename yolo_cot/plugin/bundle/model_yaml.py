"""What a bundle's YAMLs may say: plain layers from an allow-list, literals, and the description of one model.

Ultralytics looks a row's module up among all names of its model builder, looks text arguments up among the parser's
own variables, and evaluates `activation` as Python. So what it is given is checked here first.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from torch import nn
from ultralytics.nn import tasks

from ..bounded_yaml import is_number
from ..catalog.table import BLOCKS, is_shipped
from ..layers import is_head
from ..plain_rows import MOST_REPEATS, activation_module
from ..row_errors import rows, shown
from .layout import MODEL_KEYS

_HOMES = {f"ultralytics.nn.modules.{name}" for name in ("block", "conv", "head", "transformer")}
# Of the layers that Ultralytics' files of layers define: this one fetches weights by name.
_REFUSED = {"TorchVision"}
_TORCH = {"BatchNorm2d", "Conv2d", "ConvTranspose2d", "Identity", "MaxPool2d", "AvgPool2d", "Upsample", "ZeroPad2d"}
# Variables of the parser that a row may name, and words that layers take.
_NAMES, _WORDS = {"nc", "kpt_shape", "reg_max", "max_channels"}, {"nearest", "bilinear", "bicubic"}
_MOST_ROWS = 300


def check_model(file: Path, model: Any) -> dict[str, Any]:
    """Return a bundle's model YAML if it describes a model of plain layers.

    Raises:
        ValueError: it says anything else; the message names file and row.
    """
    if not isinstance(model, dict) or not all(isinstance(model.get(part), list) for part in ("backbone", "head")):
        raise ValueError(f"{file} is no model YAML: it needs 'backbone' and 'head', each a list of rows.")
    if "blocks" in model:
        raise ValueError(
            f"{file} names blocks of the user's, {shown(model['blocks'])}; a bundle runs no code, so it holds none "
            f"of them. Share the checkpoint (.pt) with the file of the blocks instead."
        )
    if unknown := [str(key) for key in model if key not in MODEL_KEYS]:
        raise ValueError(
            f"{file} has the key '{shown(unknown[0], 40)}', which no model is built from; nothing was built."
        )
    activation = model.get("activation")
    if activation is not None and (not isinstance(activation, str) or activation_module(activation) is None):
        raise ValueError(
            f"{file} has the activation {str(activation)[:80]!r}; a bundle's is a class of torch.nn, with numbers for "
            f"arguments if any, such as nn.LeakyReLU(0.1). Nothing was built."
        )
    for key, value in model.items():
        if key not in ("backbone", "head") and not _is_setting(key, value):
            raise ValueError(f"{file} has {key}: {shown(value)}, which is no value for it; nothing was built.")
    _check_rows(file, rows(model))
    return model


def _is_setting(key: str, value: Any) -> bool:
    if value is None:
        return key not in ("nc", "scales")
    if key in ("nc", "channels", "ch", "reg_max"):
        return is_number(value, whole=True) and value >= 1
    if key in ("depth_multiple", "width_multiple"):
        return is_number(value) and 0 < value <= 16
    if key == "scales":
        return isinstance(value, dict) and all(_is_scale(name, sizes) for name, sizes in value.items())
    if key == "kpt_shape":
        return isinstance(value, list) and len(value) == 2 and all(is_number(v, whole=True) and v >= 0 for v in value)
    if key in ("end2end", "inplace"):
        return isinstance(value, bool)
    return isinstance(value, str) and len(value) < 256


def _is_scale(name: Any, sizes: Any) -> bool:
    if not isinstance(name, str) or not isinstance(sizes, list) or len(sizes) != 3:
        return False
    return all(is_number(v) and v > 0 for v in sizes) and max(sizes[:2]) <= 16


def _check_rows(file: Path, every: list[Any]) -> None:
    total = 0
    if not 2 <= len(every) <= _MOST_ROWS:
        raise ValueError(f"{file} has {len(every)} rows; a bundle's model has 2 to {_MOST_ROWS}.")
    for index, row in enumerate(every):
        at = f"{file} row {index}"
        if not isinstance(row, list) or len(row) != 4:
            raise ValueError(f"{at} must be [from, repeats, module, [arguments]]; nothing was built.")
        source, repeats, name, arguments = row
        sources = source if isinstance(source, list) else [source]
        # Row 0 reads the image, as -1; every other reads a row above it.
        if not sources or not all(is_number(f, whole=True) and -max(index, 1) <= f < index for f in sources):
            raise ValueError(f"{at} reads {shown(source)}, which is no number of a row above; nothing was built.")
        if not is_number(repeats, whole=True) or repeats < 1 or (total := total + repeats) > MOST_REPEATS:
            raise ValueError(f"{at} has {shown(repeats)} repeats; a bundle's model has 1 to {MOST_REPEATS} in all.")
        if not isinstance(name, str) or not _is_layer(name):
            raise ValueError(f"{at} names '{shown(name)}', no layer that a bundle may hold; nothing was built.")
        if is_head(name) != (index == len(every) - 1):
            raise ValueError(f"{at} ({name}) stands where no model has it: its last row, and only that, is a head.")
        if not isinstance(arguments, list) or not all(_is_literal(a, name in BLOCKS) for a in arguments):
            raise ValueError(f"{at} ({name}) has arguments that are not all literals; nothing was built.")


def _is_layer(name: str) -> bool:
    if name in BLOCKS:
        return is_shipped(name)
    if name.startswith("nn."):
        return name[3:] in _TORCH
    cls = vars(tasks).get(name)
    return inspect.isclass(cls) and cls.__module__ in _HOMES and issubclass(cls, nn.Module) and name not in _REFUSED


def _is_literal(value: Any, of_ours: bool, deep: int = 0) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, (int, float)):
        return is_number(value)
    if isinstance(value, str):
        # Text for a block of ours reaches Ultralytics as a literal.
        known = value in _NAMES | _WORDS | {"None", "True", "False"}
        return known or (of_ours and re.fullmatch(r"\w{1,32}", value) is not None)
    if isinstance(value, list):
        return deep < 2 and len(value) <= 64 and all(_is_literal(v, of_ours, deep + 1) for v in value)
    if isinstance(value, dict):
        return of_ours and not deep and all(isinstance(k, str) and _is_literal(v, True, 1) for k, v in value.items())
    return False
