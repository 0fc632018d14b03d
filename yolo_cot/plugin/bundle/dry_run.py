"""Build and run a bundle's model without memory or arithmetic, before anything of its size is allocated."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import Detect
from ultralytics.utils.torch_utils import initialize_weights

from ..layers import is_head
from ..probe import class_state
from ..row_errors import rows, shown
from .layout import MODEL

# Values in one row's output for an image of `_SIDE` pixels; those of the largest YOLO have 4 million.
_MOST_VALUES, _SIDE = 1 << 26, 256


def shapes(source: Path, model: dict[str, Any], channels: int, class_branch: int | None) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of the model that a bundle's YAML describes, by name.

    Args:
        source: the bundle, for errors.
        model: its model YAML, checked, without `activation`.
        channels: channels of the image.
        class_branch: as `set_class_branch` takes it.

    Raises:
        ValueError: the rows do not fit together, or a map would be larger than any model's.
    """
    try:
        with torch.device("meta"), class_state(rows(model)[-1][2]), torch.no_grad():
            network, _ = tasks.parse_model(copy.deepcopy(model), channels, verbose=False)
            set_class_branch(network[-1], model, channels, class_branch)
            _run(network.eval(), rows(model), channels)
    except Exception as error:  # a layer may raise anything for arguments that it does not take
        reason = shown(error, 200) or type(error).__name__
        raise ValueError(f"{source / MODEL} describes no model that can be built: {reason}") from error
    return {f"model.{name}": tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _run(network: nn.Sequential, every: list[Any], channels: int) -> None:
    outputs: list[Any] = []
    x: Any = torch.empty(1, channels, _SIDE, _SIDE)
    for index, (layer, row) in enumerate(zip(network, every)):
        if index == len(every) - 1 or is_head(row[2]):
            break
        if row[0] != -1:
            x = [x if f == -1 else outputs[f] for f in row[0]] if isinstance(row[0], list) else outputs[row[0]]
        x = layer(x)
        for tensor in x if isinstance(x, (list, tuple)) else [x]:
            if tensor.numel() > _MOST_VALUES:
                raise ValueError(f"row {index} ({row[2]}) gives a map of {tuple(tensor.shape)}")
        outputs.append(x)


def set_class_branch(head: nn.Module, model: dict[str, Any], channels: int, width: int | None) -> None:
    """Give a detection head the class branch of another number of classes, as loading pretrained weights leaves one.

    The width of that branch follows from the number of classes. Recent releases of Ultralytics keep it at the width of
    the pretrained model when they train for other classes, so the YAML alone rebuilds another branch.

    Args:
        head: the last row of a model, changed in place.
        model: its YAML.
        channels: channels of the image.
        width: channels of the branch; None leaves it alone.
    """
    if width is None or not isinstance(head, Detect) or class_branch_of(head) == width:
        return
    donor, _ = tasks.parse_model(copy.deepcopy({**model, "nc": width}), channels, verbose=False)
    initialize_weights(donor)  # gives batch norm the epsilon that Ultralytics' models have
    for name in ("cv3", "one2one_cv3"):
        branches, others = getattr(head, name, None), getattr(donor[-1], name, None)
        if branches is not None and others is not None:
            for branch, other in zip(branches, others):
                last = branch[-1]
                other[-1] = nn.Conv2d(other[-1].in_channels, last.out_channels, 1).to(last.weight)
            setattr(head, name, others)


def class_branch_of(head: nn.Module) -> int | None:
    """Channels of a detection head's class branch; None for other heads."""
    return head.cv3[0][-1].in_channels if isinstance(head, Detect) and hasattr(head, "cv3") else None
