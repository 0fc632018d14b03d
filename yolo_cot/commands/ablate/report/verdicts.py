"""What an ablation found, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Pair
from ..statistics import Comparison
from .document import Heading, Part, Points

Compared = Sequence[tuple[Pair, Comparison]]
ROLES = {
    "base": "the base",
    "widened": "the base widened to the same size",
    "convolution": "a plain convolution in the same place",
    "equal_latency": "the width of the base that comes nearest to its time in onnxruntime",
}


def verdicts(compared: Compared) -> list[Part]:
    """For each model a line that sums up, and below it what each of its comparisons says."""
    parts: list[Part] = []
    for model in dict.fromkeys(pair.model for pair, _ in compared):
        mine = [(pair, c) for pair, c in compared if pair.model == model]
        parts.append(Heading(f"{model}: {summary(mine)}", 3))
        parts.append(Points([f"Against {pair.other}, {role(pair)}: {c.verdict()}." for pair, c in mine]))
    return parts


def role(pair: Pair) -> str:
    """What a model is compared with."""
    return " and ".join(ROLES[one] for one in pair.roles)


def summary(compared: Compared) -> str:
    """The comparisons of one model in one phrase."""
    base = next(c for pair, c in compared if "base" in pair.roles)
    if not base.shown:
        return "no gain shown" if base.seeds > 1 else "nothing can be said yet"
    if base.mean < 0:
        return "worse than the base"
    controls = [(pair, c) for pair, c in compared if "base" not in pair.roles]
    unbeaten = [pair for pair, c in controls if not (c.shown and c.mean > 0)]
    if unbeaten:
        names = " and ".join(pair.other for pair in unbeaten)
        time = all(pair.roles == ("equal_latency",) for pair in unbeaten)
        why = "which takes as long" if time else "so its size may explain it"
        return f"better than the base, but not shown to be better than {names}, {why}"
    return "better than the base and than its controls" if controls else "better than the base"


def method(compared: Compared, confidence: float) -> str:
    """How the verdicts were reached."""
    text = (
        "Every seed gives one difference between two models, and the intervals are Student's, over those differences. "
        f"{len(compared)} comparison{'s' * (len(compared) > 1)} beside each other: all is corrected, so the chance "
        f"of even one claim without a cause is at most {1 - confidence:.2g} (tests by Holm, intervals by Bonferroni). "
        "That a difference is not shown does not say that there is none."
    )
    if min(c.seeds for _, c in compared) < 3:
        text += " Fewer than three seeds can show only differences far larger than those that blocks usually bring."
    return text
