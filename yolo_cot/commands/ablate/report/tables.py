"""The tables of an ablation's report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..results import Pair, Results, spread
from ..statistics import Comparison, bootstrap, most
from .document import Table

Compared = Sequence[tuple[Pair, Comparison]]


def models_table(results: Results, latency: dict[str, Any]) -> Table:
    """Accuracy, size and time of every model."""
    header = ["model", "what it is", "seeds", "mAP50-95", "mAP50", "mAP50-95, last epoch", "parameters", "GFLOPs"]
    header += ["ms", "times base"]
    base, times, rows = results.plan.models[0].label, latency.get("milliseconds", {}), []
    for label, entry in results.entries.items():
        what = "base" if label == base else {"given": "compared"}.get(entry.kind, f"control: {entry.note}")
        parameters, gflops = results.one(label, "parameters"), results.one(label, "gflops")
        row = [label, what, str(len(results.runs[label]))]
        row += [results.mean(label, metric) for metric in ("map", "map50", "last_map")]
        row += ["-" if parameters is None else f"{parameters:,}", "-" if gflops is None else f"{gflops:.2f}"]
        row += [f"{times[label]:.1f}" if label in times else "-"]
        row += [f"{times[label] / times[base]:.2f}" if {label, base} <= times.keys() else "-"]
        rows.append(row)
    return Table(header, rows, ("what it is",))


def latency_note(latency: dict[str, Any]) -> str:
    """How the times were measured."""
    if not latency:
        return "Latency was not measured."
    return (
        f"Latency: median of {latency['rounds']} interleaved rounds, one picture of {latency['imgsz']} pixels, fused, "
        f"in PyTorch without pre- and postprocessing, on {latency['device']}, threads: {latency['threads']}."
    )


def comparisons_table(compared: Compared) -> Table:
    """All numbers of the comparisons."""
    header = ["comparison", "seeds", "mean", "interval", "bootstrap", "sd", "p", "p, Holm", "needed", "shown"]
    rows = []
    for pair, c in compared:
        numbers = [reach(c.interval), reach(bootstrap(c.differences, c.level)), number(c.sd)]
        chances = [number(c.p, 4), number(c.holm, 4), number(c.needed)]
        shown = "yes" if c.shown else "no"
        name, mean = f"{pair.model} against {pair.other}", number(c.mean, sign="+")
        rows.append([name, str(c.seeds), mean, *numbers, *chances, shown])
    return Table(header, rows)


def bootstrap_note(compared: Compared) -> str:
    """What the columns are, and what the bootstrap is worth here."""
    seeds, level = max(c.seeds for _, c in compared), compared[0][1].level
    text = (
        f"All in points. Intervals are at {level:.2%} each. 'needed' is the mean difference that these seeds "
        "would have shown to be more than chance. The bootstrap interval (BCa) makes no assumption of a "
        "normal distribution, but never reaches beyond the smallest and the largest difference"
    )
    if seeds > 2:
        text += f": over {seeds} seeds it covers at most {most(seeds):.1%}"
    return text + ". The verdicts rest on Student's interval."


def classes_table(results: Results, classes: Sequence[str]) -> Table:
    """AP of every class and model."""
    rows = [[label, *(spread(results.class_values(label, name)) for name in classes)] for label in results.runs]
    return Table(["model", *classes], rows)


def reach(interval: tuple[float, float]) -> str:
    """An interval as text."""
    return "-" if math.isnan(interval[0]) else f"{interval[0]:+.2f} to {interval[1]:+.2f}"


def number(value: float, digits: int = 2, sign: str = "") -> str:
    """A number as text; a dash for nan."""
    return "-" if math.isnan(value) else f"{value:{sign}.{digits}f}"
