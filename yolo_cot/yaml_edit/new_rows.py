"""Write the rows that an insertion puts in, and the arguments of those whose module it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from ultralytics.utils.ops import make_divisible

from ..plugin.catalog import INSERTABLE, stock_names
from ..plugin.probe import Probed
from .blocks import block_named
from .graph import Row


def _written(values: Sequence[object]) -> str:
    """A list of arguments as YAML on one line."""
    text = yaml.safe_dump(list(values), default_flow_style=True, sort_keys=False, width=2**20)
    return text.strip()


def new_row(
    name: str,
    repeats: int,
    arguments: Mapping[str, object],
    carrier: int,
    rows: Sequence[Row],
    built: Mapping[str, Sequence[Probed]],
    model: Mapping[str, Any],
) -> str:
    """The text of an inserted row, without brackets and `from`: `1, CoTAttention, [{gate: 0.0}]`.

    Args:
        name: the block.
        repeats: how often it is repeated.
        arguments: its arguments by name.
        carrier: the row whose feature map passes through it.
        rows: the rows of the base.
        built: what they give, by scale.
        model: the base.

    Raises:
        ValueError: the block gives a channel count of its own, and none that a YAML can say fits here at every scale.
    """
    channels = [] if block_named(name).counts_as is None else [_channel_count(name, carrier, rows, built, model)]
    return f"{repeats}, {name}, {_written([*channels, *([dict(arguments)] if arguments else [])])}"


def _channel_count(
    name: str, carrier: int, rows: Sequence[Row], built: Mapping[str, Sequence[Probed]], model: Mapping[str, Any]
) -> int:
    """The channel count, ahead of width scaling, that keeps the channels of row `carrier` at every scale."""
    wanted = {scale: of[carrier].channels for scale, of in built.items()}
    near = sorted(rows, key=lambda row: abs(row.index - carrier))
    written = [a for row in near for a in row.args[:2] if isinstance(a, int) and not isinstance(a, bool)]
    for count in [*written, *(c for c in wanted.values() if c)]:
        if count > 0 and all(_scaled(count, scale, model) == channels for scale, channels in wanted.items()):
            return count
    told = ", ".join(f"{channels} at {scale}" if scale else str(channels) for scale, channels in wanted.items())
    keeping = ", ".join(n for n, block in INSERTABLE.items() if block.counts_as is None)
    raise ValueError(
        f"{name} states its channel count, and none gives what {rows[carrier]} has ({told}) under this file's scales. "
        f"Insert a block that keeps its input's channels ({keeping}) or choose another place."
    )


def _scaled(count: int, scale: str, model: Mapping[str, Any]) -> int:
    """Channels after width scaling, by the rule of Ultralytics' parser."""
    if scale:
        _, width, most = model["scales"][scale]
    else:
        width, most = model.get("width_multiple", 1.0), float("inf")
    return make_divisible(min(count, most) * width, 8)


def swapped_args(
    row: Row, name: str, arguments: Mapping[str, object], built: Mapping[str, Sequence[Probed]], written: str
) -> str | None:
    """The arguments of a row whose module gives its place to `name`, as text; None if they stay as they are.

    Args:
        row: the row.
        name: the block.
        arguments: the block's arguments by name, to be added.
        built: what the rows give, by scale.
        written: the row's arguments as they stand in the file.

    Raises:
        ValueError: the row's module is not the one that the block counts as, or changes the shape of its input where
            the block keeps it.
    """
    given = _written([dict(arguments)])[1:-1] if arguments else ""
    block = block_named(name)
    if block.counts_as is not None:
        if stock_names().get(row.module, row.module) != block.counts_as.__name__:
            raise ValueError(
                f"{name} takes the place of {block.counts_as.__name__}; {row} is another module, with other arguments. "
                "Insert a block behind it instead: block= and at=."
            )
        _check_meaning(row, name)
        if not given:
            return None
        kept = written[1:-1] if written.startswith("[") else _written(row.args)[1:-1]
        return f"[{kept}, {given}]"
    for of in built.values():
        source = of[row.sources[0]] if row.sources[0] >= 0 else None
        if row.listed or source is None or source.channels is None or source.shape != of[row.index].shape:
            raise ValueError(
                f"{name} keeps the channels and the size of its input, and {row} changes them. "
                f"Insert {name} behind it instead: at={row.index}."
            )
    return f"[{given}]"


def _check_meaning(row: Row, name: str) -> None:
    """Refuse to hand a switch of the row's module to an argument of another name that is none, or the reverse."""
    old, new = (block_named(module).parameters for module in (row.module, name))
    for value, was, takes in zip(row.args, old, new):
        if isinstance(value, dict) or was.name == takes.name or takes.default in (takes.empty, None):
            continue
        if isinstance(value, bool) != isinstance(takes.default, bool):
            raise ValueError(
                f"{name} takes {takes.name} where {row.module} takes {was.name}, and {row} gives {value} there. "
                f"Let its constructor begin as that of {row.module}: ({', '.join(p.name for p in old)})."
            )
