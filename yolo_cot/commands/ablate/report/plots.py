"""The pictures of an ablation's report, as SVG: narrow, so that the letters can be read on a telephone too."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...plain_text import plain_text
from ..results import Results
from ..statistics import interval
from .document import Picture
from .tables import Compared

WIDTH = 4.6
COLOURS = {"given": "#1f77b4", "widened": "#7f7f7f", "convolution": "#b8860b"}


@plain_text
def draw(results: Results, compared: Compared, latency: dict[str, Any], folder: Path) -> dict[str, Picture]:
    """Write the pictures that there is something to see in, by name."""
    made: dict[str, Picture] = {}
    if any(c.seeds for _, c in compared):
        caption = (
            "Differences: a grey point for each seed, their mean as a diamond with its corrected interval, green or "
            "red where it is more than chance."
        )
        made["differences"] = Picture(differences(compared, folder / "differences.svg"), caption)
    if results.all:
        made["points"] = Picture(points(results, folder / "points.svg"), "Every run; runs of one seed are joined.")
    if latency:
        caption = (
            "Accuracy against the time of a forward pass; the bars are 95% intervals over the seeds. Black: base, "
            "blue: models, brown, grey and violet: controls."
        )
        made["latency"] = Picture(accuracy_against_latency(results, latency, folder / "latency.svg"), caption)
    by_label = {label: list(runs.values()) for label, runs in results.runs.items() if runs}
    curves = {label: [[100 * v for v in run["curve"]] for run in runs] for label, runs in by_label.items()}
    if max((len(curve) for of in curves.values() for curve in of), default=0) > 1:
        file = lines(curves, folder / "training.svg", "epoch", "points on val", late=True)
        caption = f"The trainings on the val split, at the heights of their epochs behind the first quarter. {BAND}"
        made["training"] = Picture(file, caption)
    gates = {
        f"{label} {gate}": [run["gates"][gate] for run in runs if len(run["gates"].get(gate, ())) > 1]
        for label, runs in by_label.items()
        for gate in dict.fromkeys(name for run in runs for name in run["gates"])
    }
    if gates := {name: of for name, of in gates.items() if of}:
        file = lines(gates, folder / "gates.svg", "epoch", "mean |gamma|")
        made["gates"] = Picture(file, f"The gates over the trainings. {BAND}")
    for name, (across, up) in CURVES.items():
        found = {
            label: [run["best"]["curves"][name] for run in runs if run["best"].get("curves")]
            for label, runs in by_label.items()
        }
        if found := {label: of for label, of in found.items() if of}:
            file = lines(found, folder / f"{name}.svg", across, up, unit=True)
            caption = f"{up.capitalize()} over {across} at an overlap of 0.5, mean of the classes. {BAND}"
            made[name] = Picture(file, caption)
    return made


BAND = "Mean of the seeds; the band reaches from the lowest to the highest seed."
CURVES = {
    "precision_over_recall": ("recall", "precision"),
    "precision": ("confidence", "precision"),
    "recall": ("confidence", "recall"),
}


def lines(
    curves: Mapping[str, Sequence[Sequence[float]]],
    file: Path,
    xlabel: str,
    ylabel: str,
    *,
    unit: bool = False,
    late: bool = False,
) -> Path:
    """Draw for every name the mean of its curves and the band between the lowest and the highest.

    Args:
        curves: by name, the curves of all seeds.
        file: the picture.
        xlabel: what is across.
        ylabel: what is up.
        unit: whether both go from 0 to 1; else a curve has a value for every epoch.
        late: whether to show only the heights behind the first quarter of the epochs: a start from 0 would press the
            end of all curves into one line.
    """
    figure, axes = canvas(2.6 + 0.17 * len(curves))
    heights: list[float] = []
    # Other dashes, too: curves of models that do the same lie on each other.
    for (name, of), dashes in zip(curves.items(), itertools.cycle(("-", "--", ":"))):
        values = np.array([curve[: min(map(len, of))] for curve in of])
        x = np.linspace(0, 1, values.shape[1]) if unit else np.arange(1, values.shape[1] + 1)
        (line,) = axes.plot(x, values.mean(0), dashes, lw=1.4, label=name)
        axes.fill_between(x, values.min(0), values.max(0), color=line.get_color(), alpha=0.15, lw=0)
        heights += [height for height in values[:, values.shape[1] // 4 :].flat if math.isfinite(height)]
    axes.set(xlabel=xlabel, ylabel=ylabel, **({"xlim": (0, 1), "ylim": (0, 1.02)} if unit else {}))
    if late and heights and (room := 0.05 * (max(heights) - min(heights))):
        axes.set_ylim(min(heights) - room, max(heights) + room)
    axes.xaxis.get_major_locator().set_params(integer=not unit)
    axes.grid(lw=0.4)
    figure.legend(fontsize=7.5, loc="outside lower left", frameon=False)
    return save(figure, file)


def differences(compared: Compared, file: Path) -> Path:
    """Draw every seed's difference as a point, their mean and its corrected interval, one comparison a row."""
    figure, axes = canvas(1.1 + 0.6 * len(compared))
    for row, (pair, result) in enumerate(compared):
        colour = "#222222" if not result.shown else "#1a7f37" if result.mean > 0 else "#b42318"
        # White behind the name, or the line at 0 would run through it.
        box = {"fc": "white", "ec": "none", "pad": 1}
        axes.text(0.01, row - 0.3, pair.name, transform=axes.get_yaxis_transform(), fontsize=9, bbox=box)
        axes.scatter(result.differences, [row + 0.16] * result.seeds, s=12, color="#8a9099", zorder=2)
        if result.seeds:
            axes.scatter([result.mean], [row], marker="D", s=26, color=colour, zorder=4)
        if not math.isnan(result.needed):
            axes.plot(result.interval, [row, row], color=colour, lw=2, zorder=3)
    axes.axvline(0, color="#444444", lw=0.8)
    axes.set(ylim=(len(compared) - 0.5, -0.75), xlabel="difference in points; right of the line is better", yticks=[])
    # The points decide the width: an interval over two seeds can be so long that nothing else is seen.
    reach = max((abs(d) for _, c in compared for d in c.differences), default=0) or 1.0
    ends = [abs(end) for _, c in compared if not math.isnan(c.needed) for end in c.interval]
    width = 1.1 * max(reach, min(max(ends, default=0), 6 * reach))
    axes.set_xlim(-width, width)
    return save(figure, file)


def points(results: Results, file: Path) -> Path:
    """Draw the result of every run; the runs with one seed are joined."""
    labels = list(results.runs)
    figure, axes = canvas(1.0 + 0.42 * len(labels))
    seeds = sorted({seed for runs in results.runs.values() for seed in runs})
    for seed in seeds:
        at = [(results.values(label).get(seed), row) for row, label in enumerate(labels)]
        known = [(value, row) for value, row in at if value is not None]
        axes.plot(*zip(*known), "o-", lw=0.7, ms=4, alpha=0.8, label=f"seed {seed}")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"{results.title}, points")
    if 1 < len(seeds) <= 5:
        axes.legend(fontsize=7, ncols=5, loc="lower center", bbox_to_anchor=(0.3, 1.0), frameon=False)
    axes.grid(axis="x", lw=0.4)
    return save(figure, file)


def accuracy_against_latency(results: Results, latency: dict[str, Any], file: Path) -> Path:
    """Draw the mean result of every model over its time for one picture, with its interval over the seeds."""
    figure, axes = canvas(3.6)
    base, shown = results.plan.models[0].label, []
    for label, runs in results.runs.items():
        if runs and label in latency["forward"]:
            values = list(results.values(label).values())
            middle, (low, _) = statistics.fmean(values), interval(values, 0.95)
            shown.append((middle, 0.0 if math.isnan(low) else middle - low, latency["forward"][label][0], label))
    # The names stand in a column, in the order of their points, so that points close together can be told apart.
    for place, (y, error, x, label) in enumerate(sorted(shown)):
        colour = "#000000" if label == base else COLOURS[results.entries[label].kind]
        axes.errorbar(x, y, yerr=error, fmt="o", ms=5, capsize=2, lw=0.8, color=colour)
        at = (1.05, (place + 0.5) / len(shown))
        line = {"arrowstyle": "-", "lw": 0.5, "color": colour, "relpos": (0, 0.5)}
        words = {"fontsize": 7.5, "color": colour, "va": "center", "arrowprops": line, "annotation_clip": False}
        axes.annotate(label, (x, y), xytext=at, textcoords="axes fraction", **words)
    axes.margins(x=0.1, y=0.12)
    axes.set(xlabel=f"milliseconds for one picture, {latency['runtime']}", ylabel=f"{results.title}, points")
    axes.grid(lw=0.4)
    return save(figure, file)


def canvas(height: float) -> tuple[Any, Any]:
    """A figure without a window, and its axes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def save(figure: Any, file: Path) -> Path:
    """Write the figure; the same figure gives the same file."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "yolo-cot", "svg.fonttype": "path"}):
        figure.savefig(file, metadata={"Date": None})
    return file
