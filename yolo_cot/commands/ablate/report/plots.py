"""The pictures of an ablation's report: differences with intervals, every seed's result, accuracy against latency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..results import METRICS, Pair, Results
from ..statistics import Comparison

# Narrow, so that the letters can be read on a telephone too.
WIDTH = 4.6
COLOURS = {"given": "#1f77b4", "widened": "#7f7f7f", "convolution": "#b8860b", "base": "#000000"}


def differences(compared: Sequence[tuple[Pair, Comparison]], file: Path) -> None:
    """Draw every seed's difference as a point, their mean and its corrected interval, one comparison a row."""
    figure, axes = canvas(1.1 + 0.6 * len(compared))
    for row, (pair, result) in enumerate(compared):
        colour = "#222222" if not result.shown else "#1a7f37" if result.mean > 0 else "#b42318"
        name = f"{pair.model} against {pair.other}"
        # White behind the name, or the line at 0 would run through it.
        box = {"fc": "white", "ec": "none", "pad": 1}
        axes.text(0.01, row - 0.3, name, transform=axes.get_yaxis_transform(), fontsize=9, bbox=box)
        axes.scatter(result.differences, [row + 0.16] * result.seeds, s=12, color="#8a9099", zorder=2)
        if result.seeds:
            axes.scatter([result.mean], [row], marker="D", s=26, color=colour, zorder=4)
        if not math.isnan(result.needed):
            axes.plot(result.interval, [row, row], color=colour, lw=2, zorder=3)
    axes.axvline(0, color="#444444", lw=0.8)
    axes.set(ylim=(len(compared) - 0.5, -0.75), xlabel="difference in points; right of the line is better", yticks=[])
    limit(axes, compared)
    save(figure, file)


def limit(axes: Any, compared: Sequence[tuple[Pair, Comparison]]) -> None:
    """Let the points decide the width: an interval over two seeds can be so long that nothing else is seen."""
    reach = max((abs(d) for _, c in compared for d in c.differences), default=0) or 1.0
    ends = [abs(end) for _, c in compared if not math.isnan(c.needed) for end in c.interval]
    width = 1.1 * max(reach, min(max(ends, default=0), 6 * reach))
    axes.set_xlim(-width, width)


def points(results: Results, metric: str, file: Path) -> None:
    """Draw the result of every run; the runs with one seed are joined."""
    labels = list(results.runs)
    figure, axes = canvas(1.0 + 0.42 * len(labels))
    seeds = sorted({seed for runs in results.runs.values() for seed in runs})
    for seed in seeds:
        at = [(results.values(label, metric).get(seed), row) for row, label in enumerate(labels)]
        found = [(value, row) for value, row in at if value is not None]
        axes.plot(*zip(*found), "o-", lw=0.7, ms=4, alpha=0.8, label=f"seed {seed}")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"{METRICS[metric][2]}, points")
    if 1 < len(seeds) <= 5:
        axes.legend(fontsize=7, ncols=5, loc="lower center", bbox_to_anchor=(0.3, 1.0), frameon=False)
    axes.grid(axis="x", lw=0.4)
    save(figure, file)


def accuracy_against_latency(
    results: Results, metric: str, milliseconds: Mapping[str, float], device: str, file: Path
) -> None:
    """Draw the mean result of every model over its time for one picture; the bars are the spread over the seeds."""
    import numpy as np

    figure, axes = canvas(3.6)
    base, shown = results.plan.models[0].label, []
    for label, runs in results.runs.items():
        if runs and label in milliseconds:
            values = list(results.values(label, metric).values())
            error = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            shown.append((float(np.mean(values)), error, milliseconds[label], label))
    # The names stand in a column, in the order of their points, so that points close together can be told apart.
    for place, (y, error, x, label) in enumerate(sorted(shown)):
        colour = COLOURS["base" if label == base else results.entries[label].kind]
        axes.errorbar(x, y, yerr=error, fmt="o", ms=5, capsize=2, lw=0.8, color=colour)
        at, line = (
            (1.05, (place + 0.5) / len(shown)),
            {"arrowstyle": "-", "lw": 0.5, "color": colour, "relpos": (0, 0.5)},
        )
        words = {"fontsize": 7.5, "color": colour, "va": "center", "arrowprops": line, "annotation_clip": False}
        axes.annotate(label, (x, y), xytext=at, textcoords="axes fraction", **words)
    axes.margins(x=0.1, y=0.12)
    axes.set(xlabel=f"milliseconds for one picture, {device}", ylabel=f"{METRICS[metric][2]}, points")
    axes.grid(lw=0.4)
    save(figure, file)


def canvas(height: float) -> tuple[Any, Any]:
    """A figure without a window, and its axes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def save(figure: Any, file: Path) -> None:
    """Write the figure; the same figure gives the same file."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "yolo-cot", "svg.fonttype": "path"}):
        figure.savefig(file, metadata={"Date": None})
