"""The CSV files of a report: every run, every comparison, and the tables as they are shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ...output import write_cells
from ..results import Results
from ..statistics import bootstrap
from ..tasks import METRICS
from .document import Document
from .tables import Compared


def write_spreadsheets(results: Results, compared: Compared, document: Document, latency: dict[str, Any]) -> None:
    """Write `results.csv`, `comparisons.csv` and `tables/NAME.csv` into the plan's folder."""
    folder = results.plan.folder
    write_cells(folder / "results.csv", runs(results, latency))
    write_cells(folder / "comparisons.csv", comparisons(results, compared))
    (folder / "tables").mkdir(exist_ok=True)
    for table in document.tables:
        write_cells(folder / "tables" / f"{table.name}.csv", [table.header, *table.rows])


def runs(results: Results, latency: dict[str, Any]) -> Iterable[Sequence[Any]]:
    """One line for each finished run, after the header."""
    classes, metrics = results.classes(), list(METRICS[results.plan.task])
    sizes = list(dict.fromkeys(size for r in results.all for size in r["best"].get("sizes") or ()))
    yield [
        *("model", "kind", "seed", *metrics, *(f"last_{name}" for name in metrics), "best_epoch", "last_epoch"),
        *("steps", "parameters", "gflops", "latency_ms", "seconds", "data_order", "device"),
        *(f"AP {name}" for name in sizes),
        *(f"{metrics[0]} of {name}" for name in classes),
    ]
    for label, of in results.runs.items():
        for seed, r in of.items():
            yield [
                *(label, results.entries[label].kind, seed),
                *(f"{r[epoch][name]:.5f}" for epoch in ("best", "last") for name in metrics),
                *(r["best"]["epoch"], r["last"]["epoch"], r["steps"], r["parameters"], r["gflops"]),
                latency.get("forward", {}).get(label, [""])[0],
                *(r["seconds"], r["data_order"][:12], r["device"]),
                *((r["best"].get("sizes") or {}).get(name) for name in sizes),
                *(r["best"]["classes"].get(name) for name in classes),
            ]


def comparisons(results: Results, compared: Compared) -> Iterable[Sequence[Any]]:
    """One line for each comparison, after the header."""
    yield [
        *("model", "other", "role", "metric", "seeds", "mean", "sd", "low", "high", "confidence", "comparisons"),
        *("bootstrap_low", "bootstrap_high", "p", "p_holm", "needed", "shown", "differences", "verdict"),
    ]
    for pair, c in compared:
        numbers = [c.mean, c.sd, *c.interval, c.level, c.comparisons, *bootstrap(c.differences, c.level)]
        each = " ".join(f"{seed}:{d:+.4f}" for seed, d in results.differences(pair).items())
        yield [
            *(pair.model, pair.other, " ".join(pair.roles), results.title, c.seeds),
            *("" if math.isnan(n) else f"{n:.6g}" for n in (*numbers, c.p, c.holm, c.needed)),
            *(c.shown, each, c.verdict()),
        ]
