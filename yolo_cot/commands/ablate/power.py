"""`yolo-cot ablate plan=GAIN`: how many seeds a gain would need, before or after the first runs."""

from __future__ import annotations

from .options import Arguments, look
from .plan import load
from .results import Results
from .statistics import pooled, seeds_needed

CHANCE = 0.8


def tell(arguments: Arguments) -> str:
    """How many seeds show a gain of `arguments.plan` points, in words.

    The spread is `arguments.sd`, or that of the runs which the project's folder holds.

    Raises:
        ValueError: neither is there.
    """
    gain, count = float(arguments.plan or 0), comparisons(arguments)
    confidence = look(arguments, {}).confidence
    sd, upper, source = arguments.sd, None, "as given with sd="
    if sd is None:
        if not (arguments.project / "plan.json").is_file():
            raise ValueError(
                f"yolo-cot ablate plan= needs a spread: {arguments.project} holds no runs yet. Give sd=, the standard "
                "deviation of the paired differences in points, or make three seeds first."
            )
        results = Results(load(arguments.project), arguments.metric)
        differences = [list(results.differences(pair).values()) for pair in results.pairs()]
        sd, upper = pooled(differences)
        seeds = max(map(len, differences))
        source = f"of {results.title}, from the {seeds} seeds in {arguments.project}"

    def needed(spread: float) -> str:
        return f"{seeds_needed(gain, spread, count, confidence, CHANCE)} seeds"

    lines = [
        f"Spread of the paired differences: {sd:.2f} points, {source}.",
        f"To show a gain of {gain:g} points with {CHANCE:.0%} chance, {count} comparison{'s' * (count > 1)} beside "
        f"each other, at {confidence:.0%} confidence in all: {needed(sd)}.",
    ]
    if upper is not None:
        limit = f"it may be as large as {upper:.2f} points (80% limit), then {needed(upper)}"
        lines.append(f"So few seeds tell the spread only roughly: {limit}.")
    return "\n".join(lines)


def comparisons(arguments: Arguments) -> int:
    """How many comparisons are made: those of the project's folder, else of the models named, else one."""
    if (arguments.project / "plan.json").is_file():
        return max(len(Results(load(arguments.project)).pairs()), 1)
    return max((len(arguments.models) - 1) * (3 + arguments.equal_latency if arguments.controls else 1), 1)
