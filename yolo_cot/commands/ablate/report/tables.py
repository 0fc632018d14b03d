"""The tables of an ablation's report: means over the seeds with their intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from ..results import Pair, Results
from ..settled import last_quarter, verdict
from ..statistics import Comparison, bootstrap, interval, most
from ..tasks import METRICS
from .document import Table

Compared = Sequence[tuple[Pair, Comparison]]
# Of one mean, whatever else is shown beside it.
LEVEL = 0.95
NOTE = "Means over the seeds with their 95% intervals (Student's t)."


def models_table(results: Results) -> Table:
    """The metric that is compared, and the size of every model."""
    task, base = results.plan.task, results.plan.models[0].label
    first = next(iter(METRICS[task]))
    name = METRICS[task][first].title
    header = ["model", "what it is", "seeds", name, f"{name}, last epoch", "parameters", "GFLOPs"]
    rows = []
    for label, entry in results.entries.items():
        what = "base" if label == base else {"given": "compared"}.get(entry.kind, f"control: {entry.told}")
        parameters, gflops = results.one(label, "parameters"), results.one(label, "gflops")
        row = [label, what, str(len(results.runs[label]))]
        row += [mean(results.values(label, first, epoch).values()) for epoch in ("best", "last")]
        row += ["-" if parameters is None else f"{parameters:,}", "-" if gflops is None else f"{gflops:.2f}"]
        rows.append(row)
    return Table("models", f"The models; {name} in points. {NOTE}", header, rows, ("what it is",))


def accuracy_table(results: Results) -> Table:
    """All metrics of the best epoch."""
    metrics = METRICS[results.plan.task]
    rows = [
        [label, str(len(runs)), *(mean(results.values(label, short, "best").values()) for short in metrics)]
        for label, runs in results.runs.items()
    ]
    caption = f"Every metric of the best epoch on the {results.plan.split} split, in points. {NOTE}"
    return Table("accuracy", caption, ["model", "seeds", *(m.title for m in metrics.values())], rows)


def time_table(results: Results, latency: dict[str, Any]) -> Table:
    """Milliseconds for a picture, and pictures per second."""
    base, rows = results.plan.models[0].label, []
    for label in (label for label in results.runs if label in latency["forward"]):
        times = latency["forward"][label]
        whole, alone = latency["whole"][label], times[0] / latency["forward"].get(base, [math.nan])[0]
        rows.append([label, of_interval(*times), number(alone), of_interval(*whole), f"{1e3 / whole[0]:.1f}"])
    caption = (
        f"Milliseconds for one picture of {latency['imgsz']} pixels on the runtime {latency['runtime']}, "
        f"{latency['device']}, threads: {latency['threads']}; means of medians with their 95% intervals, "
        f"{latency['rounds']} rounds in which all models take turns. The whole is what YOLO.predict takes, with pre- "
        "and postprocessing; pictures per second (FPS) follow from it. The checkpoint of one seed, for time does not "
        "depend on the seed."
    )
    return Table("time", caption, ["model", "forward", "times base", "whole", "FPS"], rows)


def comparisons_table(compared: Compared) -> Table:
    """All numbers of the comparisons."""
    header = ["comparison", "seeds", "mean", "interval", "bootstrap", "sd", "p", "p, Holm", "needed", "shown"]
    rows = []
    for pair, c in compared:
        numbers = [number(c.mean, sign="+"), reach(c.interval), reach(bootstrap(c.differences, c.level)), number(c.sd)]
        chances = [number(c.p, 4), number(c.holm, 4), number(c.needed)]
        rows.append([pair.name, str(c.seeds), *numbers, *chances, "yes" if c.shown else "no"])
    seeds, level = max(c.seeds for _, c in compared), compared[0][1].level
    caption = (
        f"The comparisons, in points. Intervals are at {level:.2%} each. 'needed' is the mean difference that these "
        "seeds would have shown to be more than chance. The bootstrap interval (BCa) makes no assumption of a "
        "normal distribution, but never reaches beyond the smallest and the largest difference"
    )
    if seeds > 2:
        caption += f": over {seeds} seeds it covers at most {most(seeds):.1%}"
    return Table("comparisons", f"{caption}. The verdicts rest on Student's interval.", header, rows)


def training_table(results: Results) -> Table:
    """Optimizer steps, and whether the trainings had settled."""
    rows = []
    for label, runs in results.runs.items():
        rises = [100 * last_quarter(run["curve"]) for run in runs.values()]
        steps = sorted({run["steps"] for run in runs.values()})
        row = [label, str(len(runs)), " or ".join(map(str, steps)) or "-", mean(rises), verdict(rises)]
        rows.append(row)
    caption = (
        "The trainings: optimizer steps, and what the curve of the val split gained over the last quarter of the "
        f"epochs, in points (Theil-Sen). {NOTE} The learning rate falls to its end meanwhile, so a training that has "
        "settled has settled under this schedule; a longer one may go further."
    )
    return Table("training", caption, ["model", "seeds", "steps", "last quarter", "settled"], rows)


def gates_table(results: Results) -> Table | None:
    """How far the gates are open at the end; None where no model has any."""
    rows = []
    for label, runs in results.runs.items():
        for gate in dict.fromkeys(name for run in runs.values() for name in run["gates"]):
            curves = [run["gates"][gate] for run in runs.values() if run["gates"].get(gate)]
            change = mean([last_quarter(curve) for curve in curves], 3)
            rows.append([label, gate, str(len(curves)), mean([curve[-1] for curve in curves], 3), change])
    caption = (
        "The gates: mean |gamma| over the channels at the end, and what it gained over the last quarter of the "
        f"epochs. A block behind a gate near 0 has hardly been used. {NOTE}"
    )
    header = ["model", "gate", "seeds", "at the end", "last quarter"]
    return Table("gates", caption, header, rows, ("gate",)) if rows else None


def classes_table(results: Results) -> Table | None:
    """The first metric for every class and model; None for tasks without."""
    classes = results.classes()
    if not classes:
        return None
    rows = []
    for label, runs in results.runs.items():
        by_class = [
            [100 * r["best"]["classes"][c] for r in runs.values() if c in r["best"]["classes"]] for c in classes
        ]
        rows.append([label, str(len(runs)), *map(mean, by_class)])
    name = next(iter(METRICS[results.plan.task].values())).title
    caption = (
        f"{name} of every class, best epoch, in points. {NOTE} To be looked at, not to be claimed from: with this "
        "many numbers some differ by chance, and none of them is tested."
    )
    return Table("classes", caption, ["model", "seeds", *classes], rows)


def sizes_table(results: Results) -> Table | None:
    """AP of small, medium and large objects; None for tasks without boxes, and without pycocotools."""
    sizes = list(dict.fromkeys(size for r in results.all for size in r["best"].get("sizes") or ()))
    if not sizes:
        return None
    rows = []
    for label, runs in results.runs.items():
        found = [r["best"]["sizes"] for r in runs.values() if r["best"].get("sizes")]
        by_size = [[100 * of[size] for of in found if of.get(size) is not None] for size in sizes]
        rows.append([label, str(len(found)), *map(mean, by_size)])
    caption = (
        "Box AP50-95 by the size of the objects, as COCO counts it: small up to 32 x 32 pixels of the picture, large "
        f"from 96 x 96 on; best epoch, in points. {NOTE} A dash where there is no object of that size. "
        "COCO joins precision and recall in another way than Ultralytics, so 'all' is not quite its mAP50-95."
    )
    return Table("sizes", caption, ["model", "seeds", *sizes], rows)


def mean(values: Iterable[float], digits: int = 2) -> str:
    """A mean with its interval; a dash for nothing."""
    found = [value for value in values if not math.isnan(value)]
    if not found:
        return "-"
    return of_interval(statistics.fmean(found), *interval(found, LEVEL), digits)


def of_interval(middle: float, low: float, high: float, digits: int = 2) -> str:
    """A number with its interval."""
    # Without the addition small negative numbers would show as -0.00.
    numbers = [f"{round(value, digits) + 0.0:.{digits}f}" for value in (middle, low, high)]
    return numbers[0] if math.isnan(low) else f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def reach(ends: tuple[float, float]) -> str:
    """An interval as text."""
    return "-" if math.isnan(ends[0]) else f"{ends[0]:+.2f} to {ends[1]:+.2f}"


def number(value: float, digits: int = 2, sign: str = "") -> str:
    """A number as text; a dash for nan."""
    return "-" if math.isnan(value) else f"{value:{sign}.{digits}f}"
