"""The rows of a model as a table, with as many columns as the terminal has room for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from ...plugin.catalog import find
from ...yaml_edit.base import Base
from ...yaml_edit.graph import Row
from ..output import new_table
from ..row_sizes import RowSize

HEADER = ("row", "from", "n", "module", "arguments", "channels", "stride", "parameters", "GFLOPs")
# What is left out first where the terminal is narrow; row, module and arguments always stay.
LEFT_OUT_FIRST = (
    *("base GFLOPs", "base parameters", "GFLOPs", "stride", "base row", "channels", "n", "parameters", "from"),
)


def fitting_table(
    console: Console,
    rows: Sequence[Row],
    sizes: Sequence[RowSize],
    base: Base | None,
    base_sizes: Sequence[RowSize] | None,
    title: str,
) -> Table:
    """The table, without the columns that the console has no room for.

    Rows that the base has not are marked +, rows of ours in the place of others ~.
    """
    cells = [_cells(row, size, base, base_sizes) for row, size in zip(rows, sizes)]
    total = {"module": "all", **_total(sizes, "")} | (_total(base_sizes, "base ") if base_sizes else {})
    unlimited = console.options.update(width=1000)
    for count in range(len(LEFT_OUT_FIRST) + 1):
        table = _table(cells, total, base, title, LEFT_OUT_FIRST[:count])
        if Measurement.get(console, unlimited, table).maximum <= console.width:
            break
    return table


def _table(
    cells: Sequence[dict[str, str]], total: dict[str, str], base: Base | None, title: str, left_out: Collection[str]
) -> Table:
    of_base = {"base row": f"{base.path.stem} row", "base parameters": "parameters"} if base else {}
    header = {**{name: name for name in HEADER}, **of_base, **({"base GFLOPs": "GFLOPs"} if base else {})}
    names = {name: title for name, title in header.items() if name not in left_out}
    table = new_table(escape(title), list(names.values()), text=["module", "arguments"])
    for column in table.columns:
        if column.header == "arguments":
            column.no_wrap, column.overflow = False, "fold"
    for line in cells:
        table.add_row(*(line.get(name, "") for name in names), style="bold" if line["row"][0] in "+~" else None)
    table.add_section()
    table.add_row(*(total.get(name, "") for name in names))
    return table


def _cells(row: Row, size: RowSize, base: Base | None, base_sizes: Sequence[RowSize] | None) -> dict[str, str]:
    """What stands in each column of a row."""
    other = base.pairs[row.index] if base else None
    mark = "+" if base and other is None else "~" if base and find(row.module) else ""
    cells = {
        "row": f"{mark}{row.index}",
        "from": ", ".join(map(str, row.written)),
        "n": str(row.repeats),
        "module": escape(row.module),
        "arguments": escape(", ".join(map(str, row.args))),
        "channels": "" if size.channels is None else str(size.channels),
        "stride": "" if size.stride is None else f"{size.stride:g}",
        "parameters": f"{size.parameters:,}",
        "GFLOPs": f"{size.gflops:.2f}",
    }
    if base_sizes and other is not None:
        there = base_sizes[other]
        cells |= {"base row": str(other), "base parameters": f"{there.parameters:,}"}
        cells["base GFLOPs"] = f"{there.gflops:.2f}"
    return cells


def _total(sizes: Sequence[RowSize], prefix: str) -> dict[str, str]:
    return {
        f"{prefix}parameters": f"{sum(s.parameters for s in sizes):,}",
        f"{prefix}GFLOPs": f"{sum(s.gflops for s in sizes):.2f}",
    }
