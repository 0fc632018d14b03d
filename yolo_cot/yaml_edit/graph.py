"""The rows of a model YAML as a graph: who reads whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..plugin.probe import IMAGE


@dataclass(frozen=True)
class Row:
    """One row of a model YAML, `[from, repeats, module, args]`.

    Attributes:
        index: its number, counted through backbone and head.
        part: "backbone" or "head".
        written: the numbers of `from` as they stand in the file.
        listed: whether `from` is a list.
        repeats: how often the module is repeated, ahead of depth scaling.
        module: the module's name.
        args: its arguments as they stand in the file.
    """

    index: int
    part: str
    written: tuple[int, ...]
    listed: bool
    repeats: int
    module: str
    args: list[Any]

    @property
    def sources(self) -> tuple[int, ...]:
        """The rows that it reads; `IMAGE` for the image, which only row 0 can read."""
        return tuple(self.index + f if f < 0 else f for f in self.written)

    def __str__(self) -> str:
        return f"row {self.index} ({self.module})"


def rows_of(model: dict[str, Any]) -> list[Row]:
    """The rows of a model dictionary, backbone first; each must be a list [from, repeats, module, args]."""
    return [
        Row(
            start + i,
            part,
            tuple(row[0]) if isinstance(row[0], list) else (row[0],),
            isinstance(row[0], list),
            row[1],
            row[2],
            row[3],
        )
        for part, start in (("backbone", 0), ("head", len(model["backbone"])))
        for i, row in enumerate(model[part])
    ]


def readers(rows: Iterable[Row], index: int) -> list[Row]:
    """The rows that read row `index`, in order."""
    return [row for row in rows if index in row.sources]


def through(rows: list[Row], index: int, skip: set[int]) -> int:
    """Follow a source upwards past rows of `skip` that read one row, to the first that is not skipped.

    Returns:
        That row's number, or `IMAGE`.
    """
    while index in skip and index != IMAGE:
        index = rows[index].sources[0]
    return index
