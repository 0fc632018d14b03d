"""What the table of blocks says of a name, of its arguments, and of the shape that its rows give."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from ..plugin.catalog import BLOCKS, INSERTABLE, Block
from ..plugin.layers import module_names
from ..plugin.rows import positional


def block_named(name: str) -> Block:
    """A block of ours by its YAML name; ValueError with the nearest name if there is none, or if it is a brick."""
    known = f"Known blocks: {', '.join(INSERTABLE)}."
    if name in BLOCKS and name not in INSERTABLE:
        raise ValueError(f"{name} is a part of a network and has its place there; insert takes a block. {known}")
    if name not in BLOCKS:
        close = difflib.get_close_matches(name, INSERTABLE, 1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"no block is called {name!r}. {hint}{known}")
    return BLOCKS[name]


def did_you_mean(name: str) -> str:
    """A remedy for a module name that nobody knows."""
    close = difflib.get_close_matches(name, [*BLOCKS, *module_names()], 1)
    return f"Did you mean {close[0]!r}?" if close else f"Blocks of yolo-cot: {', '.join(INSERTABLE)}."


def check_arguments(name: str, arguments: Mapping[str, object]) -> None:
    """Refuse arguments that the block has not, or that its row gives by itself."""
    block = block_named(name)
    if "c2" in arguments:
        raise ValueError(f"{name} gets its channel count from the place it goes to; leave c2 out.")
    positional("insert", block, [*([8] if block.counts_as else []), dict(arguments)])


def passes_on(row: list[Any], shapes: Sequence[Any]) -> Any:
    """The shape that a row gives where it could not be built but its kind says so; None where it does not."""
    if row[2] in BLOCKS and BLOCKS[row[2]].counts_as is None and len(shapes) == 1:
        return shapes[0]
    if row[2] == "Concat" and all(len(s) == 4 and not isinstance(s[0], tuple) for s in shapes):
        batch, _, *size = shapes[0]
        return (batch, sum(s[1] for s in shapes), *size)
    return None
