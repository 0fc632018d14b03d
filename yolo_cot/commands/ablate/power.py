"""`yolo-cot ablate plan=GAIN`: how many seeds a gain would need, before or after the first runs."""

from __future__ import annotations

from .options import Options
from .plan import load
from .results import METRICS, Results
from .statistics import pooled, seeds_needed

CHANCE = 0.8


def tell(options: Options) -> str:
    """How many seeds show a gain of `options.plan` points, in words.

    The spread is `options.sd`, or that of the runs which the project's folder holds.

    Raises:
        ValueError: neither is there.
    """
    gain = float(options.plan or 0)
    count, given, upper = comparisons(options), options.sd, None
    if given is not None:
        sd, source = float(given), "as given with sd="
    else:
        if not (options.project / "plan.json").is_file():
            raise ValueError(
                f"yolo-cot ablate plan= needs a spread: {options.project} holds no runs yet. Give sd=, the standard "
                "deviation of the paired differences in points, or make three seeds first."
            )
        results = Results(load(options.project))
        differences = [list(results.differences(pair, options.metric).values()) for pair in results.pairs()]
        sd, upper = pooled(differences)
        seeds = max(map(len, differences))
        source = f"of {METRICS[options.metric][2]}, from the {seeds} seeds in {options.project}"
    lines = [
        f"Spread of the paired differences: {sd:.2f} points, {source}.",
        f"To show a gain of {gain:g} points with {CHANCE:.0%} chance, {count} comparison{'s' * (count > 1)} beside "
        f"each other, at {options.confidence:.0%} confidence in all: {need(gain, sd, count, options.confidence)}.",
    ]
    if upper is not None:
        more = need(gain, upper, count, options.confidence)
        limit = f"it may be as large as {upper:.2f} points (80% limit), then {more}"
        lines.append(f"So few seeds tell the spread only roughly: {limit}.")
    return "\n".join(lines)


def need(gain: float, sd: float, comparisons: int, confidence: float) -> str:
    """The number of seeds, in words."""
    seeds = seeds_needed(gain, sd, comparisons, confidence, CHANCE)
    return f"{seeds} seeds"


def comparisons(options: Options) -> int:
    """How many comparisons are made: those of the project's folder, else of the models named, else one."""
    if (options.project / "plan.json").is_file():
        return max(len(Results(load(options.project)).pairs()), 1)
    return max((len(options.models) - 1) * (3 if options.controls else 1), 1)
