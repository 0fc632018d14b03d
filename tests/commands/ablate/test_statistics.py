"""The statistics of `yolo-cot ablate`, on simulated seeds whose true effect is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from yolo_cot.commands.ablate.statistics import (
    bootstrap,
    compare,
    holm,
    most,
    p_value,
    pooled,
    power,
    seeds_needed,
)

ROUNDS = 2000
# Four standard errors of a share near 5 % over that many rounds.
NOISE = 4 * math.sqrt(0.05 * 0.95 / ROUNDS)


def several_models(random, seeds, gains):
    """One ablation: the differences of models with these true gains to one base, which they share."""
    base = random.normal(0, 0.6, seeds)
    return [gain + random.normal(0, 0.6, seeds) - base for gain in gains]


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_an_interval_covers_the_true_gain_at_its_rate(seeds):
    random, gain, covered = np.random.default_rng(seeds), 0.7, 0
    for _ in range(ROUNDS):
        (one,) = compare([random.normal(gain, 0.5, seeds)])
        covered += one.interval[0] <= gain <= one.interval[1]
    assert covered / ROUNDS == pytest.approx(0.95, abs=NOISE)


@pytest.mark.parametrize("gains", [(0, 0, 0, 0, 0, 0), (0, 0, 0, 2.5)])
def test_gains_that_are_none_are_claimed_at_most_at_the_stated_rate(gains):
    random, wrong, missed = np.random.default_rng(0), 0, 0
    for _ in range(ROUNDS):
        found = compare(several_models(random, 5, gains))
        wrong += any(c.shown for c, gain in zip(found, gains) if gain == 0)
        missed += any(not c.interval[0] <= gain <= c.interval[1] for c, gain in zip(found, gains))
    assert wrong / ROUNDS <= 0.05 + NOISE
    assert missed / ROUNDS <= 0.05 + NOISE


def test_without_the_correction_the_rate_would_be_exceeded():
    """So the test above can fail."""
    random, wrong = np.random.default_rng(0), 0
    for _ in range(ROUNDS):
        wrong += any(p_value(d) < 0.05 for d in several_models(random, 5, [0] * 6))
    assert wrong / ROUNDS > 0.1


@pytest.mark.parametrize("gain, sd, comparisons", [(0.8, 0.6, 1), (0.8, 0.6, 6), (2.0, 0.5, 3)])
def test_the_planned_seeds_show_the_gain_as_often_as_planned_and_one_less_does_not(gain, sd, comparisons):
    random, seeds = np.random.default_rng(1), seeds_needed(gain, sd, comparisons)
    alpha = 0.05 / comparisons
    shown = np.mean([p_value(random.normal(gain, sd, seeds)) < alpha for _ in range(ROUNDS)])
    assert shown == pytest.approx(power(seeds, gain, sd, alpha), abs=0.03)
    assert power(seeds, gain, sd, alpha) >= 0.8 > power(seeds - 1, gain, sd, alpha)


def test_the_p_value_is_that_of_scipys_paired_t_test():
    a, b = np.array([60.1, 59.8, 60.5, 60.2]), np.array([59.7, 59.9, 59.8, 59.6])
    assert p_value(a - b) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    (one,) = compare([a - b])
    assert one.interval == pytest.approx(stats.ttest_rel(a, b).confidence_interval(0.95))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    # A comparison that could not be tested counts all the same.
    corrected = holm([0.02, math.nan])
    assert corrected[0] == pytest.approx(0.04)
    assert math.isnan(corrected[1])


def test_a_bootstrap_interval_stays_within_the_differences_and_covers_no_more_than_said():
    random, covered = np.random.default_rng(0), 0
    for _ in range(400):
        d = random.normal(0, 1, 4)
        low, high = bootstrap(d, 0.99, resamples=499)
        assert d.min() - 1e-9 <= low <= high <= d.max() + 1e-9
        covered += low <= 0 <= high
    assert covered / 400 <= most(4) + 0.02
    assert most(4) == 0.875


def test_a_bootstrap_interval_over_many_seeds_covers_at_its_rate():
    random, covered = np.random.default_rng(0), 0
    for _ in range(400):
        low, high = bootstrap(random.normal(1, 1, 40), 0.95, resamples=999)
        covered += low <= 1 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize(
    "differences, words",
    [
        ([], "nothing to say: no seed is finished for both"),
        ([0.8], "nothing to say: +0.80 points with one seed, and one seed tells nothing about chance"),
        ([0.3, 0.3, 0.3], "nothing to say: all 3 seeds gave exactly +0.30 points, so there is no spread"),
        ([0.0, 0.0], "no difference: all 2 seeds gave the same result for both"),
        ([0.1, 0.5], "no difference that 2 seeds can show; 2.54 points would have been needed (measured: +0.30)"),
        ([1.0, 50.0], "nothing to say: 2 seeds that differ so much cannot show any difference (measured: +25.50)"),
        ([1.0, 1.1, 0.9, 1.0], "better by 1.00 points, more than chance (interval +0.87 to +1.13)"),
        ([-1.0, -1.1, -0.9, -1.0], "worse by 1.00 points, more than chance (interval -1.13 to -0.87)"),
    ],
)
def test_the_verdict_in_words(differences, words):
    (one,) = compare([differences])
    assert one.verdict().startswith(words)
    assert one.shown == words.startswith(("better", "worse"))


def test_the_points_needed_are_the_border_of_what_is_shown():
    d = np.array([0.2, -0.3, 0.5, 0.1, 0.0])
    (one,) = compare([d])
    assert not one.shown
    for more, shown in ((1e-6, True), (-1e-6, False)):
        (moved,) = compare([d - d.mean() + one.needed + more])
        assert moved.shown is shown


def test_a_claim_that_holms_test_makes_and_the_interval_does_not_says_so():
    ones = compare([[0.5, 0.52, 0.48, 0.5, 0.5], [0.1, 0.9, 0.2, 0.9, 0.4]])
    assert ones[1].shown
    assert ones[1].interval[0] < 0
    assert "Holm's test, which is sharper, does not" in ones[1].verdict()


def test_the_pooled_spread_and_its_limit():
    sd, upper = pooled([[1.0, 2.0, 3.0], [0.0, 2.0, 4.0], [1.0], [5.0, 5.0]])
    assert sd == pytest.approx(math.sqrt((2 * 1 + 2 * 4) / 4))
    # The true spread lies below the limit in 80 of 100 ablations with one comparison.
    random = np.random.default_rng(0)
    below = np.mean([pooled([random.normal(0, 1, 3)])[1] >= 1 for _ in range(1000)])
    assert below == pytest.approx(0.8, abs=0.05)
    assert upper > sd


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: compare([[0.1, 0.2]], confidence=1.0), r"confidence lies between 0 and 1.*got 1\.0"),
        (lambda: seeds_needed(0.0, 0.5), r"above 0 points are needed; got gain 0\.0"),
        (lambda: seeds_needed(0.001, 5.0), r"too small beside a spread of 5\.00"),
        (lambda: pooled([[1.0], []]), r"no two seeds are finished"),
        (lambda: pooled([[0.0, 0.0]]), r"all seeds gave the same result.*give sd="),
    ],
)
def test_what_cannot_be_computed_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
