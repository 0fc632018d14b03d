"""The tables and the plot of a benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console

from ..output import new_table
from .blocks import Row
from .models import ModelRow


def geometric_mean(values: Sequence[float]) -> float:
    """Mean of ratios."""
    return math.exp(sum(map(math.log, values)) / len(values))


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print every size, then the geometric means."""
    header = ["block", "what", "size", "ms", "x published", "of 3x3 conv", "of limit", "memory"]
    title = "x published: times faster than it; of 3x3 conv, of limit: our time in theirs; memory: share of published"
    table = new_table(title, header, text=["block", "what", "size"])

    def group(row: Row) -> tuple[str, str]:
        return row.block, row.what

    for (block, what), found in groupby(sorted(rows, key=group), group):
        members = list(found)
        for r in members:
            memory = "" if math.isnan(r.memory) else f"{r.memory_ratio:.2f}"
            numbers = f"{r.ours * 1e3:.2f}", f"{r.speedup:.2f}", f"{r.of_conv:.2f}", f"{r.of_limit:.1f}", memory
            table.add_row(block, what, f"{r.scale} {r.level} x{r.batch}", *numbers)
        speedup, conv, limit = (
            geometric_mean([getattr(r, a) for r in members]) for a in ("speedup", "of_conv", "of_limit")
        )
        memories = [r.memory_ratio for r in members if not math.isnan(r.memory)]
        memory = f"{geometric_mean(memories):.2f}" if memories else ""
        numbers = "", f"{speedup:.2f}", f"{conv:.2f}", f"{limit:.1f}", memory
        table.add_row(block, what, "geometric mean", *numbers, style="bold", end_section=True)
    console.print(table)


def print_models(console: Console, rows: Sequence[ModelRow]) -> None:
    """Print each model's time beside the plain one's, the quartiles of the rounds, and what is unsteady."""
    header = ["model", "runtime", "ms", "times plain", "quartiles"]
    table = new_table("whole models, fused, one image", header, text=["model", "runtime"])
    for row in rows:
        quartiles = f"{row.ratio_low:.2f} to {row.ratio_high:.2f}"
        table.add_row(row.model, row.runtime, f"{row.seconds * 1e3:.1f}", f"{row.ratio:.3f}", quartiles)
    console.print(table)
    if unsteady := [f"{row.model} in {row.runtime}" for row in rows if row.unsteady]:
        console.print(f"The quartiles are more than 10 % apart: {', '.join(unsteady)}. Repeat it on an idle machine.")


def plot(rows: Sequence[Row], file: Path) -> None:
    """Draw how many times faster than the published form each size is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1 + 0.22 * len(rows)), layout="constrained")
    axes = figure.subplots()
    labels = [f"{r.block}, {r.what}, {r.scale} {r.level} x{r.batch}" for r in rows]
    axes.barh(labels, [r.speedup for r in rows], color=["C0" if r.block == rows[0].block else "C1" for r in rows])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times faster than the published form (log scale; right of the line is faster)")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    figure.savefig(file, dpi=120)
