"""The finished runs of an ablation, as numbers to compare."""

from __future__ import annotations

import csv
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .plan import Entry, Plan
from .statistics import Comparison, compare

# What can be compared: where it stands in a result, and its name.
METRICS = {
    "map": ("best", "map", "mAP50-95 of the best epoch"),
    "map50": ("best", "map50", "mAP50 of the best epoch"),
    "last_map": ("last", "map", "mAP50-95 of the last epoch"),
    "last_map50": ("last", "map50", "mAP50 of the last epoch"),
}


@dataclass(frozen=True)
class Pair:
    """One comparison: a model, what it is compared with and what that is ("base", "widened", "convolution")."""

    model: str
    other: str
    role: str


class Results:
    """What the finished runs of a plan measured.

    Args:
        plan: the plan.

    Attributes:
        runs: results by label and seed.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.runs: dict[str, dict[int, dict[str, Any]]] = {entry.label: {} for entry in plan.models}
        for run in plan.runs():
            if (result := run.result()) is not None:
                self.runs[run.label][run.seed] = result

    @property
    def missing(self) -> list[str]:
        """Names of the runs that are not finished."""
        return [run.name for run in self.plan.runs() if run.seed not in self.runs[run.label]]

    @property
    def damaged(self) -> list[str]:
        """What is wrong with files of results that cannot be read."""
        return [damage for run in self.plan.runs() if (damage := run.damage())]

    @property
    def entries(self) -> dict[str, Entry]:
        """The models by label."""
        return {entry.label: entry for entry in self.plan.models}

    def pairs(self) -> list[Pair]:
        """Every model that was given against the base, and against each of its controls that had the same start."""
        base, *others = self.plan.models
        given = [entry for entry in others if entry.kind == "given"]
        controls = [entry for entry in others if entry.kind != "given"]
        found = []
        for entry in given:
            found.append(Pair(entry.label, base.label, "base"))
            fair = [c for c in controls if entry.label in c.of and c.label not in self.handicapped]
            found += [Pair(entry.label, c.label, c.kind) for c in fair]
        return found

    def values(self, label: str, metric: str) -> dict[int, float]:
        """A metric by seed, in points (hundredths)."""
        which, name, _ = METRICS[metric]
        return {seed: 100 * result[which][name] for seed, result in self.runs[label].items()}

    def differences(self, pair: Pair, metric: str) -> dict[int, float]:
        """Model minus other, in points, for every seed that both have."""
        a, b = self.values(pair.model, metric), self.values(pair.other, metric)
        return {seed: a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())}

    def comparisons(self, metric: str, confidence: float) -> list[tuple[Pair, Comparison]]:
        """All comparisons, corrected for their number."""
        pairs = self.pairs()
        return list(zip(pairs, compare([list(self.differences(p, metric).values()) for p in pairs], confidence)))

    def one(self, label: str, key: str) -> Any:
        """What is the same in every run of a model, such as its parameters; None where no run is finished."""
        return next((result.get(key) for result in self.runs[label].values()), None)

    def mean(self, label: str, metric: str) -> str:
        """Mean and standard deviation over the seeds, in points."""
        return spread(self.values(label, metric).values())

    def classes(self) -> list[str]:
        """Every class that was measured, in order."""
        results = [r for runs in self.runs.values() for r in runs.values()]
        return list(dict.fromkeys(name for result in results for name in result["best"]["classes"]))

    def class_values(self, label: str, name: str) -> list[float]:
        """AP50-95 of one class over the seeds, best epoch, in points."""
        found = [result["best"]["classes"].get(name) for result in self.runs[label].values()]
        return [100 * values["map"] for values in found if values]

    def order_differs(self) -> list[int]:
        """Seeds for which two models did not see the same pictures in the same order with the same augmentation."""
        seeds: dict[int, set[str]] = {}
        for runs in self.runs.values():
            for seed, result in runs.items():
                seeds.setdefault(seed, set()).add(result["data_order"])
        return sorted(seed for seed, digests in seeds.items() if len(digests) > 1)

    def seeds_alike(self) -> list[int]:
        """Seeds with which a model saw the same pictures in the same order as with another."""
        found: set[int] = set()
        for runs in self.runs.values():
            orders = [result["data_order"] for result in runs.values()]
            found |= {seed for seed, result in runs.items() if orders.count(result["data_order"]) > 1}
        return sorted(found)

    def setups(self) -> list[str]:
        """Every combination of device and versions that runs were made with."""
        results = [r for runs in self.runs.values() for r in runs.values()]
        texts = [
            ", ".join([r["device"], *(f"{name} {version}" for name, version in r["versions"].items())]) for r in results
        ]
        return sorted(set(texts))

    @cached_property
    def transferred(self) -> dict[str, tuple[int, int]]:
        """Tensors taken from pretrained weights and tensors in all, by label: the fewest that a run printed."""
        found: dict[str, tuple[int, int]] = {}
        for run in self.plan.runs():
            if run.finished and run.log.is_file():
                text = run.log.read_text(encoding="utf-8", errors="replace")
                if said := re.search(r"Transferred (\d+)/(\d+) items", text):
                    found[run.label] = min((int(said[1]), int(said[2])), found.get(run.label, (int(said[2]), 0)))
        return found

    @cached_property
    def handicapped(self) -> list[str]:
        """Controls that took less than half of the pretrained weights that the base took: they are not compared.

        A difference to them would say what the weights are worth, not what a block is worth.
        """
        base = self.transferred.get(self.plan.models[0].label)
        if base is None:
            return []
        controls = [entry.label for entry in self.plan.models if entry.kind != "given" and self.runs[entry.label]]
        return [label for label in controls if 2 * self.transferred.get(label, (0, 0))[0] < base[0]]

    def write_csv(self, file: Path, latency: dict[str, Any]) -> None:
        """Write one line for each finished run."""
        classes = self.classes()
        header = ["model", "kind", "seed", *METRICS, "best_epoch", "last_epoch", "parameters", "gflops", "latency_ms"]
        header += ["seconds", "data_order", "device", *(f"AP50-95 {name}" for name in classes)]
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for label, runs in self.runs.items():
                for seed, r in runs.items():
                    measured = [f"{r[which][name]:.5f}" for which, name, _ in METRICS.values()]
                    aps = [r["best"]["classes"].get(name, {}).get("map", "") for name in classes]
                    milliseconds = latency.get("milliseconds", {}).get(label, "")
                    line = [label, self.entries[label].kind, seed, *measured, r["best"]["epoch"], r["last"]["epoch"]]
                    line += [r["parameters"], r["gflops"], milliseconds, r["seconds"], r["data_order"][:12]]
                    writer.writerow([*line, r["device"], *aps])


def spread(values: Iterable[float]) -> str:
    """Mean and standard deviation as text; a dash for nothing."""
    found = list(values)
    if not found:
        return "-"
    deviation = f" ± {statistics.stdev(found):.2f}" if len(found) > 1 else ""
    return f"{statistics.fmean(found):.2f}{deviation}"
