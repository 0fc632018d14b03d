"""What a few seeds can and cannot show: paired differences, intervals corrected for many comparisons, and power.

Every seed gives one difference between two models, trained on the same pictures in the same order. These differences
are taken as normal with unknown spread, so Student's t says how far chance alone reaches. All values are in points,
hundredths of an average precision.

Sources: Student's paired t interval. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
Journal of Statistics 6 (1979). Bootstrap with bias correction and acceleration: Efron, Journal of the American
Statistical Association 82 (1987), as scipy has it.
"""

from __future__ import annotations

import bisect
import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

# Differences that vary by less are one and the same number, written with rounding errors.
SAME = 1e-9
MOST_SEEDS = 100_000
# An average precision cannot differ by more points than that.
ALL = 100


@dataclass(frozen=True)
class Comparison:
    """One model against another over the seeds that both have.

    Attributes:
        differences: model minus other, in points, one for each seed.
        comparisons: how many comparisons are made beside each other; intervals and p are corrected for them.
        confidence: of all the intervals together, such as 0.95.
        p: of the paired t test, not corrected; nan where it cannot be made.
        holm: the same, corrected by Holm's procedure.
    """

    differences: tuple[float, ...]
    comparisons: int
    confidence: float
    p: float
    holm: float

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len(self.differences)

    @property
    def mean(self) -> float:
        """Mean difference; nan without seeds."""
        return float(np.mean(self.differences)) if self.differences else math.nan

    @property
    def sd(self) -> float:
        """Standard deviation of the differences; nan for fewer than two."""
        return float(np.std(self.differences, ddof=1)) if self.seeds > 1 else math.nan

    @property
    def level(self) -> float:
        """Confidence of this one interval, by Bonferroni's correction."""
        return 1 - (1 - self.confidence) / self.comparisons

    @property
    def needed(self) -> float:
        """The mean difference that these seeds would have shown to be more than chance; nan where none would."""
        low, high = self.interval
        return (high - low) / 2

    @property
    def interval(self) -> tuple[float, float]:
        """The t interval of the mean, corrected; nan where there is no spread."""
        return interval(self.differences, self.level) if testable(self.differences) else (math.nan, math.nan)

    @property
    def shown(self) -> bool:
        """Whether the difference is more than chance."""
        return self.holm < 1 - self.confidence

    def verdict(self) -> str:
        """The result in words."""
        n, mean = self.seeds, f"{self.mean:+.2f} points"
        if n == 0:
            return "nothing to say: no seed is finished for both"
        if n == 1:
            return f"nothing to say: {mean} with one seed, and one seed tells nothing about chance"
        if not testable(self.differences):
            if abs(self.mean) < SAME:
                return f"no difference: all {n} seeds gave the same result for both"
            return f"nothing to say: all {n} seeds gave exactly {mean}, so there is no spread to measure chance by"
        if not self.shown and self.needed > ALL:
            return (
                f"nothing to say: {n} seeds that differ so much cannot show any difference (measured: {self.mean:+.2f})"
            )
        if not self.shown:
            needed = f"{self.needed:.2f} points would have been needed"
            return f"no difference that {n} seeds can show; {needed} (measured: {self.mean:+.2f})"
        low, high = self.interval
        which = "better" if self.mean > 0 else "worse"
        sure = "" if low * high > 0 else " holds 0, but Holm's test, which is sharper, does not"
        return f"{which} by {abs(self.mean):.2f} points, more than chance (interval {low:+.2f} to {high:+.2f}{sure})"


def compare(differences: Sequence[Sequence[float]], confidence: float = 0.95) -> list[Comparison]:
    """Test all comparisons that are made beside each other, corrected for their number.

    Args:
        differences: for every comparison the differences in points, one for each seed.
        confidence: 1 minus the chance that any of the intervals misses, or any difference is claimed that is none.

    Raises:
        ValueError: a confidence that is none.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, such as 0.95; got {confidence}.")
    ps = [p_value(d) for d in differences]
    return [
        Comparison(tuple(map(float, d)), len(ps), confidence, p, corrected)
        for d, p, corrected in zip(differences, ps, holm(ps))
    ]


def testable(differences: Sequence[float]) -> bool:
    """Whether there is a spread: two seeds at least, and not the same difference in all."""
    return len(differences) > 1 and float(np.ptp(differences)) > SAME


def p_value(differences: Sequence[float]) -> float:
    """Two-sided p of the paired t test; 1 where every difference is 0, nan where it cannot be made."""
    if not testable(differences):
        return 1.0 if len(differences) > 1 and abs(differences[0]) < SAME else math.nan
    t = float(np.mean(differences)) / standard_error(differences)
    return float(2 * stats.t.sf(abs(t), len(differences) - 1))


def interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """Student's interval of a mean; nan for fewer than two values."""
    if len(values) < 2:
        return math.nan, math.nan
    if np.ptp(values) <= SAME:
        return float(values[0]), float(values[0])
    low, high = stats.t.interval(level, len(values) - 1, float(np.mean(values)), standard_error(values))
    return float(low), float(high)


def standard_error(values: Sequence[float]) -> float:
    """Standard error of a mean."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's corrected p values; nan stays nan, and counts among the comparisons."""
    corrected, floor = list(ps), 0.0
    order = sorted((i for i, p in enumerate(ps) if not math.isnan(p)), key=lambda i: ps[i])
    for rank, i in enumerate(order):
        floor = max(floor, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = floor
    return corrected


def bootstrap(differences: Sequence[float], level: float, resamples: int = 9999) -> tuple[float, float]:
    """The bootstrap interval of the mean difference; nan for fewer than three seeds or no spread.

    It never reaches beyond the smallest and the largest difference, so over n seeds it cannot cover with more than
    1 - 2 ** (1 - n), see `most`. The verdict rests on the t interval; this one shows whether a single seed makes it.
    """
    if len(differences) < 3 or not testable(differences):
        return math.nan, math.nan
    # Older releases of scipy call the argument by its former name.
    name = "rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state"
    found = stats.bootstrap(
        (np.asarray(differences, dtype=float),),
        np.mean,
        confidence_level=level,
        n_resamples=resamples,
        method="BCa",
        **{name: np.random.default_rng(0)},
    ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if low <= high else (math.nan, math.nan)


def most(seeds: int) -> float:
    """The confidence that a bootstrap interval over so many seeds can reach at most, for symmetric differences."""
    return 1 - 2.0 ** (1 - seeds)


def power(seeds: int, gain: float, sd: float, alpha: float) -> float:
    """The chance that so many seeds show a gain, where the differences have the standard deviation `sd`."""
    t, shift = stats.t.ppf(1 - alpha / 2, seeds - 1), gain / sd * math.sqrt(seeds)
    # Far in the tail the distribution's function gives nan, where the chance is 1.
    chance = float(stats.nct.sf(t, seeds - 1, shift) + stats.nct.cdf(-t, seeds - 1, shift))
    return 1.0 if math.isnan(chance) else chance


def seeds_needed(gain: float, sd: float, comparisons: int = 1, confidence: float = 0.95, chance: float = 0.8) -> int:
    """The fewest seeds that show a gain with the given chance, by Bonferroni's correction.

    Args:
        gain: the true gain, in points.
        sd: standard deviation of the paired differences, in points.
        comparisons: how many comparisons are made beside each other.
        confidence: as `compare` takes it.
        chance: the power asked for.

    Raises:
        ValueError: a gain or spread that is not above 0, or one that no affordable number of seeds shows.
    """
    if not gain > 0 or not sd > 0:
        raise ValueError(f"a gain and a spread above 0 points are needed; got gain {gain} and spread {sd}.")
    alpha = (1 - confidence) / comparisons
    counts = range(2, MOST_SEEDS)
    seeds = 2 + bisect.bisect_left(counts, True, key=lambda n: power(n, gain, sd, alpha) >= chance)
    if seeds == MOST_SEEDS:
        raise ValueError(f"a gain of {gain} points is too small beside a spread of {sd:.2f} to be shown at all.")
    return seeds


def pooled(differences: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The spread that several comparisons share, and how large it may be: its upper limit with 80 % confidence.

    Comparisons with one base are not independent, so the limit counts the seeds of one comparison only.

    Raises:
        ValueError: no comparison has a spread.
    """
    usable = [d for d in differences if testable(d)]
    if not usable:
        if any(len(d) > 1 for d in differences):
            raise ValueError("all seeds gave the same result, so their spread is unknown. Train longer, or give sd=.")
        raise ValueError("no two seeds are finished for both models of any comparison, so their spread is unknown.")
    freedom = sum(len(d) - 1 for d in usable)
    sd = math.sqrt(sum((len(d) - 1) * float(np.var(d, ddof=1)) for d in usable) / freedom)
    single = max(len(d) for d in usable) - 1
    return sd, sd * math.sqrt(single / float(stats.chi2.ppf(0.2, single)))
