"""Draw the rows of a model as a graph: one box per row, levels of the pyramid as columns, arrows for what is read."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path

from ...yaml_edit.graph import Row
from ..plain_text import plain_text
from ..row_sizes import RowSize

HEIGHT, WIDTH, COLUMN, LANE = 0.62, 1.8, 2.5, 0.1  # in rows; a lane is the distance of two lines in one gap
COLOURS = {"backbone": "#dce6f2", "head": "#e6efdd"}
OURS, INK = "#f4c27a", "#555555"


@plain_text
def draw(
    rows: Sequence[Row], sizes: Sequence[RowSize], path: Path, title: str, inserted: Collection[int] | None = None
) -> None:
    """Write the picture; its suffix says the format (png, svg, pdf).

    Args:
        rows: the rows.
        sizes: what they give.
        path: the file to write.
        title: the line above.
        inserted: rows to mark beside our own blocks.

    Raises:
        ValueError: matplotlib knows no such format, or the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    from ...plugin.catalog import find

    if path.suffix.lstrip(".").lower() not in FigureCanvasAgg.get_supported_filetypes():
        raise ValueError(f"save needs a picture's name such as graph.png, graph.svg or graph.pdf; got {path.name!r}.")
    columns = columns_of(rows, sizes)
    right = COLUMN * max(columns)
    figure = Figure(figsize=(0.9 * (right + COLUMN), 1.2 + 0.45 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlim=(-COLUMN / 2, right + COLUMN / 2), ylim=(len(rows), -1.2), title=title)
    axes.set_axis_off()
    for points in arrows(rows, columns):
        axes.plot(*zip(*points), lw=0.9, color=INK, zorder=1)
        head = FancyArrowPatch(*points[-2:], arrowstyle="-|>", mutation_scale=8, shrinkA=0, shrinkB=0, lw=0, color=INK)
        axes.add_patch(head)
    for row, size in zip(rows, sizes):
        x, y = COLUMN * columns[row.index], row.index
        ours = find(row.module) or row.index in (inserted or ())
        colour = OURS if ours else COLOURS[row.part]
        corner, form = (x - WIDTH / 2, y - HEIGHT / 2), "round,pad=0,rounding_size=0.1"
        axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=form, fc=colour, ec=INK, lw=0.8))
        channels = "" if size.channels is None else f"  {size.channels}"
        axes.text(x, y, f"{row.index} {row.module}{channels}", ha="center", va="center", fontsize=8)
    for column, name in _names(columns, sizes).items():
        axes.text(COLUMN * column, -0.8, name, ha="center", va="center", fontsize=9, fontweight="bold")
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error}") from error


def columns_of(rows: Sequence[Row], sizes: Sequence[RowSize]) -> list[int]:
    """The column of every row: the level of its output, that of its first input where it gives no map."""
    levels: list[int] = []
    for row, size in zip(rows, sizes):
        before = levels[row.sources[0]] if row.sources[0] >= 0 else 0
        levels.append(before if size.stride is None else round(math.log2(size.stride)))
    levels[-1] = max(levels) + 1
    used = sorted(set(levels))
    return [used.index(level) for level in levels]


def _names(columns: Sequence[int], sizes: Sequence[RowSize]) -> dict[int, str]:
    names = {}
    for column, size in zip(columns, sizes):
        if size.stride is not None:
            level = round(math.log2(size.stride))
            names[column] = f"P{level}, stride {2**level}" if level else "full size"
    return names


def arrows(rows: Sequence[Row], columns: Sequence[int]) -> list[list[tuple[float, float]]]:
    """The corners of the line from every row to each of its readers.

    A line runs down in the gap beside its source's column and across in the height of its reader, where no other box
    is, so no line runs behind a box.
    """
    lines = []
    lanes: dict[int, list[list[tuple[int, int]]]] = {}
    for row in rows:
        for source in row.sources:
            if source < 0:
                continue
            x0, x1, y0, y1 = COLUMN * columns[source], COLUMN * columns[row.index], source, row.index
            if y1 - y0 == 1:
                side = math.copysign(WIDTH / 2, x1 - x0)
                start = (x0, y0 + HEIGHT / 2) if x0 == x1 else (x0 + side, y0)
                lines.append([start, *([] if x0 == x1 else [(x1, y0)]), (x1, y1 - HEIGHT / 2)])
                continue
            leaves, enters = (1, -1) if x1 > x0 else (1, 1) if x1 == x0 else (-1, 1)
            gap = columns[source] + (leaves - 1) // 2
            lane = _free_lane(lanes.setdefault(gap, []), (y0, y1))
            x = COLUMN * gap + WIDTH / 2 + LANE * (lane + 1)
            lines.append([(x0 + leaves * WIDTH / 2, y0), (x, y0), (x, y1), (x1 + enters * WIDTH / 2, y1)])
    return lines


def _free_lane(lanes: list[list[tuple[int, int]]], span: tuple[int, int]) -> int:
    """The first lane of a gap in which nothing else runs along `span`; it is taken."""
    for number, taken in enumerate(lanes):
        if all(span[1] < start or end < span[0] for start, end in taken):
            taken.append(span)
            return number
    lanes.append([span])
    return len(lanes) - 1
