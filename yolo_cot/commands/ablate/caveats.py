"""What a reader should know before believing a comparison."""

from __future__ import annotations

from .results import Results


def caveats(results: Results, metric: str) -> list[str]:
    """What weakens the comparisons, one paragraph each; empty if nothing does."""
    found = [unfinished(results), *data_order(results), handicapped(results, metric), nothing_learned(results, metric)]
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


def handicapped(results: Results, metric: str) -> str:
    """Controls that could not start from the pretrained weights."""
    if not results.handicapped:
        return ""
    names = ", ".join(f"{label} ({results.mean(label, metric)})" for label in results.handicapped)
    return (
        f"Trained, but not compared: {names}. Most of the pretrained weights did not fit, so a difference would "
        "say what the weights are worth, not what a block is worth. With pretrained=False all start alike."
    )


def nothing_learned(results: Results, metric: str) -> str:
    """A metric that is 0 throughout."""
    if any(value > 0 for label in results.runs for value in results.values(label, metric).values()):
        return ""
    return "No run has learned anything that this metric sees, so there was nothing to compare. Train longer."
