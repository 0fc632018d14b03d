"""The control for depth: a plain convolution, behind the same gate, in the place of every block."""

from __future__ import annotations

import copy
from typing import Any

from ....plugin.catalog import BLOCKS
from ....plugin.row_errors import rows
from ....plugin.rows import positional
from .model import Model, dump, model_of

CONTROL = "GatedConv"


def blocks_in(values: dict[str, Any]) -> list[str]:
    """The blocks of ours that attend, by name, in the order of the rows; the control's convolution is none."""
    return [row[2] for row in rows(values) if row[2] in BLOCKS and row[2] != CONTROL]


def convolution(model: Model) -> Model | None:
    """The model with a gated plain convolution for every block, and the stock module for every composite.

    Returns:
        None for a model with blocks that neither can stand in for, for they change the shape of their input.
    """
    values = model.values
    for row in rows(values):
        block = BLOCKS.get(row[2])
        if block is None or row[2] == CONTROL:
            continue
        if block.network_part:
            return None
        if block.counts_as is not None:
            stock = block.counts_as.__name__
            row[2], row[3] = stock, [value for value in row[3] if not isinstance(value, dict)]
            continue
        names = [p.name for p in block.parameters]
        given = dict(zip(names, positional(model.label, block, copy.deepcopy(row[3]))))
        gate = given.get("gate")
        row[2], row[3] = CONTROL, [] if gate is None else [{"gate": gate}]
    what = f"{model.label} with a plain convolution for every block"
    return model_of(f"{model.label}-as-conv", dump(values, what), "convolution", (model.label,), what)
