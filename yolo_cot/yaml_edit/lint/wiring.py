"""Faults between rows: what a Concat joins, what a head reads, what nobody reads, what an insertion left behind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ...plugin.layers import is_head
from ...plugin.probe import Probed
from ..base import Base, unmoved
from ..fault import Fault
from ..graph import Row, readers

RAW = ("Concat", "nn.Upsample")


def check_concats(rows: Sequence[Row], built: Sequence[Probed]) -> list[Fault]:
    """A Concat that reads a Concat, or rows of different size."""
    faults = []
    for row in rows:
        if row.module != "Concat":
            continue
        sources = [(p, s) for p, s in enumerate(row.sources) if 0 <= s < row.index]
        for position, source in sources:
            if rows[source].module == "Concat":
                what = f"reads {rows[source]}, a Concat that no block has worked on yet."
                faults.append(Fault(row.index, what, _instead(source, rows, built, row), row.module, position))
        strides = {s: built[s].stride for _, s in sources if built[s].stride}
        if len(set(strides.values())) > 1:
            told = ", ".join(f"{rows[s]} has stride {stride}" for s, stride in strides.items())
            first = next(iter(strides))
            fitting = [
                r.index for r in rows[: row.index] if built[r.index].stride == strides[first] and r.module not in RAW
            ]
            remedy = f"All must have the size of the first; rows of stride {strides[first]}: {fitting}."
            faults.append(
                Fault(row.index, f"joins maps of different size: {told}.", remedy, row.module, sources[-1][0])
            )
    return faults


def check_heads(rows: Sequence[Row], built: Sequence[Probed]) -> list[Fault]:
    """A head that is not the last row, or whose levels are not the pyramid's outputs from fine to coarse."""
    faults = []
    if not is_head(rows[-1].module):
        what = "the last row must be a head (Detect, Segment, Classify, …)."
        faults.append(Fault(rows[-1].index, what, "Move the head to the end.", rows[-1].module))
    for row in rows:
        if not is_head(row.module):
            continue
        if row is not rows[-1]:
            faults.append(Fault(row.index, "a head stands before the last row.", "Move it to the end.", row.module))
        levels = [(p, s) for p, s in enumerate(row.sources) if 0 <= s < row.index]
        for position, source in levels if row.listed else []:
            if rows[source].module in RAW:
                what = f"reads {rows[source]}, which no block has worked on yet."
                faults.append(Fault(row.index, what, _instead(source, rows, built, row), row.module, position))
            elif rows[source].part == "backbone" and sum(r.part == "head" for r in rows) > 1:
                what = f"reads {rows[source]} of the backbone, past the neck."
                faults.append(Fault(row.index, what, "Read the neck's outputs.", row.module, position))
        strides = [(s, built[s].stride) for _, s in levels]
        for (a, fine), (b, coarse) in pairwise(strides):
            if fine and coarse and fine >= coarse:
                what = f"levels go from fine to coarse; {rows[a]} has stride {fine}, then {rows[b]} stride {coarse}."
                faults.append(Fault(row.index, what, "Read one row of each stride, the finest first.", row.module))
    return faults


def _instead(source: int, rows: Sequence[Row], built: Sequence[Probed], reader: Row) -> str:
    """Name the row behind a raw one that works on it."""
    for row in rows[source + 1 : reader.index]:
        if source in row.sources and row.module not in RAW and built[row.index].stride == built[source].stride:
            return f"Read {row} instead; after an insertion every index below it moves along."
    return "Read the output of a block; after an insertion every index below it moves along."


def check_unread(rows: Sequence[Row], built: Sequence[Probed]) -> list[Fault]:
    """Rows whose feature map nobody reads."""
    return [
        Fault(
            row.index,
            "nobody reads it.",
            "Remove it, or read it; after an insertion every index below it moves along.",
            row.module,
        )
        for row in rows[:-1]
        if not readers(rows, row.index) and built[row.index].output is not None and not is_head(row.module)
    ]


def check_unmoved(rows: list[Row], base: Base) -> list[Fault]:
    """Indices that were not moved along with the rows put in above them, seen by comparing with the base."""
    faults = []
    for found in unmoved(rows, base):
        row = rows[found.row]
        what = (
            f"reads {rows[found.reads]}; the row that it reads in {base.path.name} now gives its output as "
            f"{rows[found.meant]}: the index was not moved along with the rows put in above."
        )
        remedy = f"Write {found.meant} for {row.written[found.position]}."
        faults.append(Fault(found.row, what, remedy, row.module, found.position))
    return faults
