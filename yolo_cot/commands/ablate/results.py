"""The finished runs of an ablation, as numbers to compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .plan import Entry, Plan
from .statistics import Comparison, compare
from .tasks import asked, title

# What a run prints whose model is wider than pretrained weights that it cannot hold as they are.
NOT_WIDENED = "The pretrained weights could not be widened"


@dataclass(frozen=True)
class Pair:
    """One comparison: a model, what it is compared with and what that is ("base", or what `Entry.roles` says)."""

    model: str
    other: str
    roles: tuple[str, ...]

    @property
    def name(self) -> str:
        """The comparison in words."""
        return f"{self.model} against {self.other}"


class Results:
    """What the finished runs of a plan measured.

    Args:
        plan: the plan.
        metric: what is compared, as `metric=` takes it.

    Attributes:
        runs: results by label and seed.

    Raises:
        ValueError: the task has no such metric.
    """

    def __init__(self, plan: Plan, metric: str = "") -> None:
        self.plan = plan
        self.epoch, self.metric = asked(plan.task, metric)
        self.runs: dict[str, dict[int, dict[str, Any]]] = {entry.label: {} for entry in plan.models}
        for run in plan.runs():
            if (result := run.result()) is not None:
                self.runs[run.label][run.seed] = result

    @property
    def title(self) -> str:
        """What is compared, for readers."""
        return title(self.plan.task, self.epoch, self.metric)

    @property
    def metric_planned(self) -> bool:
        """Whether what is compared is what the ablation was begun with."""
        return asked(self.plan.task, self.plan.own.get("metric", "")) == (self.epoch, self.metric)

    @property
    def all(self) -> list[dict[str, Any]]:
        """Every result."""
        return [result for runs in self.runs.values() for result in runs.values()]

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
        controls = [entry for entry in others if entry.kind != "given" and entry.label not in self.handicapped]
        found = []
        for entry in others:
            if entry.kind == "given":
                found.append(Pair(entry.label, base.label, ("base", *base.roles(entry.label))))
                found += [Pair(entry.label, c.label, roles) for c in controls if (roles := c.roles(entry.label))]
        return found

    def values(self, label: str, metric: str = "", epoch: str = "") -> dict[int, float]:
        """A metric by seed, in points (hundredths); the one that is compared unless named."""
        where, name = epoch or self.epoch, metric or self.metric
        return {seed: 100 * result[where][name] for seed, result in self.runs[label].items()}

    def differences(self, pair: Pair) -> dict[int, float]:
        """Model minus other, in points, for every seed that both have."""
        a, b = self.values(pair.model), self.values(pair.other)
        return {seed: a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())}

    def comparisons(self, confidence: float) -> list[tuple[Pair, Comparison]]:
        """All comparisons, corrected for their number."""
        pairs = self.pairs()
        return list(zip(pairs, compare([list(self.differences(pair).values()) for pair in pairs], confidence)))

    def one(self, label: str, key: str) -> Any:
        """What is the same in every run of a model, such as its parameters; None where no run is finished."""
        return next((result.get(key) for result in self.runs[label].values()), None)

    def classes(self) -> list[str]:
        """Every class that was measured, in order."""
        return list(dict.fromkeys(name for result in self.all for name in result["best"].get("classes", ())))

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
        texts = [
            ", ".join([r["device"], *(f"{n} {version}" for n, version in r["versions"].items())]) for r in self.all
        ]
        return sorted(set(texts))

    @cached_property
    def transferred(self) -> dict[str, tuple[int, int]]:
        """Tensors taken from pretrained weights and tensors in all, by label: the fewest that a run printed."""
        found: dict[str, tuple[int, int]] = {}
        for label, text in self._logs():
            if said := re.search(r"Transferred (\d+)/(\d+) items", text):
                found[label] = min((int(said[1]), int(said[2])), found.get(label, (int(said[2]), 0)))
        return found

    def _logs(self) -> Iterator[tuple[str, str]]:
        """The label and the log of every finished run."""
        for run in self.plan.runs():
            if run.seed in self.runs[run.label] and run.log.is_file():
                yield run.label, run.log.read_text(encoding="utf-8", errors="replace")

    @cached_property
    def handicapped(self) -> list[str]:
        """Controls that took less than half of the pretrained weights that the base took, or that are wider and could
        not hold them as they are: these are not compared.

        A difference to them would say what the weights are worth, not what a block is worth.
        """
        base, _ = self.transferred.get(self.plan.models[0].label, (0, 0))
        controls = [entry.label for entry in self.plan.models if entry.kind != "given" and self.runs[entry.label]]
        unlike = {label for label, text in self._logs() if NOT_WIDENED in text}
        return [c for c in controls if c in unlike or 2 * self.transferred.get(c, (0, 0))[0] < base]
