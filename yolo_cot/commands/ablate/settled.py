"""Whether a training had settled when it ended: what its curve gained over the last quarter."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

# So many points gained over the last quarter count as still rising.
RISING = 0.5
# Fewer epochs in the last quarter tell nothing.
FEWEST = 4


def last_quarter(curve: Sequence[float]) -> float:
    """What a curve gained over its last quarter, by the Theil-Sen slope; nan where that is too few epochs.

    Args:
        curve: one value for each epoch.
    """
    count = len(curve) // 4
    if count < FEWEST:
        return math.nan
    return float(stats.theilslopes(curve[-count:])[0]) * count


def verdict(rises: Sequence[float]) -> str:
    """Whether the trainings of a model had settled, by what each gained over its last quarter, in points."""
    known = [rise for rise in rises if not math.isnan(rise)]
    if not known:
        return "too short to tell"
    return "yes" if sum(known) / len(known) <= RISING else "no, still rising"
