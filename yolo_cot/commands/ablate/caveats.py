"""What a reader should know before believing a comparison."""

from __future__ import annotations

import statistics

from .results import Results
from .settled import last_quarter, verdict

# A gate below that has hardly let its block take part.
OPEN = 0.05


def caveats(results: Results) -> list[str]:
    """What weakens the comparisons, one paragraph each; empty if nothing does."""
    found = [
        unfinished(results),
        another_metric(results),
        *data_order(results),
        handicapped(results),
        closed_gates(results),
        unsettled(results),
        nothing_learned(results),
    ]
    return [text for text in found if text]


def unfinished(results: Results) -> str:
    """Runs that are not there."""
    missing = results.missing
    if not missing:
        return ""
    names = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
    damaged = "".join(f" {damage}" for damage in results.damaged)
    count = f"{len(missing)} of {len(results.plan.runs())} runs"
    return (
        f"A look on the way: {count} are not finished and left out ({names}). "
        f"The stated chance holds for the end that was planned, not for the best of several looks.{damaged}"
    )


def another_metric(results: Results) -> str:
    """A metric that is not the one which the ablation was begun with."""
    if results.metric_planned:
        return ""
    begun = results.plan.own.get("metric", "the task's own")
    return (
        f"Another metric: this ablation was made with metric={begun}. What is chosen after a look at the results shows "
        "less than it seems to."
    )


def data_order(results: Results) -> list[str]:
    """Models that saw different batches with one seed, and seeds that saw the same ones."""
    found = []
    if differs := results.order_differs():
        found.append(
            f"Not the same data: with seed {', '.join(map(str, differs))} the models did not see the same batches, so "
            "those differences hold more chance than they must. Were all runs made on one kind of device, with the "
            "same versions?"
        )
    if alike := results.seeds_alike():
        found.append(
            f"Not different seeds: seeds {', '.join(map(str, alike))} saw the same batches in the same order, so they "
            "are no independent repetitions, and chance reaches further than the intervals say."
        )
    return found


def handicapped(results: Results) -> str:
    """Controls that could not start from the pretrained weights."""
    if not results.handicapped:
        return ""
    means = {label: statistics.fmean(results.values(label).values()) for label in results.handicapped}
    names = ", ".join(f"{label} ({value:.2f})" for label, value in means.items())
    return (
        f"Trained, but not compared: {names}. The pretrained weights, or most of them, did not fit, so a difference "
        "would say what the weights are worth, not what a block is worth. With pretrained=False all start alike."
    )


def closed_gates(results: Results) -> str:
    """Models whose gates have hardly opened, and those that had not settled."""
    said = []
    for label, runs in results.runs.items():
        ends = [curve[-1] for run in runs.values() for curve in run["gates"].values() if curve]
        if ends and max(ends) < OPEN:
            said.append(f"{label} (at most {max(ends):.3f})")
    if not said:
        return ""
    return (
        f"The gates have hardly opened: {', '.join(said)}. These models were nearly the base, so the comparison says "
        "little about their blocks. Train longer, or with a higher gate_lr=."
    )


def unsettled(results: Results) -> str:
    """Models that were still learning when their trainings ended."""
    rising = [
        label
        for label, runs in results.runs.items()
        if verdict([100 * last_quarter(run["curve"]) for run in runs.values()]).startswith("no")
    ]
    if not rising:
        return ""
    return f"Not settled: {', '.join(rising)} still gained at the end of the trainings; longer ones may end otherwise."


def nothing_learned(results: Results) -> str:
    """A metric that is 0 throughout."""
    if any(value > 0 for label in results.runs for value in results.values(label).values()):
        return ""
    return "No run has learned anything that this metric sees, so there was nothing to compare. Train longer."
