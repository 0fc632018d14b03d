"""The control for depth: a plain convolution, behind the same gate, in the place of every block."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from ....plugin.catalog import Block, find, insertable
from ....plugin.probe import probe
from ....plugin.row_errors import rows
from ....plugin.rows import positional
from ....yaml_edit.base import compare
from ....yaml_edit.graph import rows_of
from .model import Model, dump, model_of

CONTROL = "GatedConv"


def blocks_in(values: dict[str, Any], base: dict[str, Any]) -> list[str]:
    """The names of what a model has and the base has not: blocks, and stock modules that were put in.

    The control's convolution is none of them.
    """
    stock = {row.index for row in rows_of(values) if insertable(row.module) and not find(row.module)}
    added = compare(values, Path(), base).inserted & stock
    return [row.module for row in rows_of(values) if row.module != CONTROL and (find(row.module) or row.index in added)]


def convolution(model: Model, base: Model) -> Model | None:
    """The model with a gated plain convolution for every block, and the stock module for every composite.

    Returns:
        None for a model with blocks that neither can stand in for, for they change the shape of their input.
    """
    values = model.values
    shapes = [row.shape for row in probe(values, model.scale)]
    added = compare(values, Path(), base.values).inserted
    for row, written in zip(rows_of(values), rows(values)):
        block = find(row.module)
        if row.module == CONTROL or not (block or (row.index in added and insertable(row.module))):
            continue
        if block and block.network_part:
            return None
        if block and block.counts_as is not None:
            written[2], written[3] = block.counts_as.__name__, [v for v in written[3] if not isinstance(v, dict)]
            continue
        gate = _gate(model.label, block, written[3]) if block else None
        written[2], written[3] = CONTROL, [] if gate is None else [{"gate": gate}]
    if [row.shape for row in probe(values, model.scale)] != shapes:
        return None
    values.pop("blocks", None)
    what = f"{model.label} with a plain convolution for every block"
    return model_of(f"{model.label}-as-conv", dump(values, what), "convolution", (model.label,), what)


def _gate(label: str, block: Block, arguments: list[Any]) -> Any:
    """The start value of a block's gate, None if it has none."""
    names = [p.name for p in block.parameters]
    return dict(zip(names, positional(label, block, copy.deepcopy(arguments)))).get("gate")
