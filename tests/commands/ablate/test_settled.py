"""Whether trainings had settled, and what the report says of closed gates."""

from __future__ import annotations

import math

import pytest

from tests.commands.ablate.ablations import finish, pretended
from yolo_cot.commands.ablate.caveats import caveats
from yolo_cot.commands.ablate.results import Results
from yolo_cot.commands.ablate.settled import last_quarter, verdict


def test_what_a_curve_gains_over_its_last_quarter():
    assert last_quarter([0.0] * 30 + [0.1 * n for n in range(10)]) == pytest.approx(1.0)
    assert last_quarter([5.0] * 40) == 0
    # One wild epoch does not make a rise.
    assert last_quarter([0.0] * 39 + [50.0]) == 0
    assert math.isnan(last_quarter([1.0] * 15))


@pytest.mark.parametrize(
    "rises, told",
    [
        ([0.2, 0.4], "yes"),
        ([-2.0], "yes"),
        ([0.4, 0.8], "no, still rising"),
        ([math.nan, 0.1], "yes"),
        ([math.nan], "too short to tell"),
        ([], "too short to tell"),
    ],
)
def test_the_verdict_goes_by_the_mean_of_the_seeds(rises, told):
    assert verdict(rises) == told


def test_closed_gates_and_trainings_that_still_rise_are_told(tmp_path):
    plan = pretended(tmp_path, {"yolo11n": [0.5, 0.51], "yolo11n-cot": [None, None]})
    rising = [0.01 * epoch for epoch in range(40)]
    for run in plan.runs()[1::2]:
        finish(run, 0.5, curve=rising, gates={"11.CoTAttention": [0.004] * 40, "21.CoTAttention": [0.002] * 40})
    text = " ".join(caveats(Results(plan)))
    assert "The gates have hardly opened: yolo11n-cot (at most 0.004)." in text
    assert "Not settled: yolo11n-cot still gained at the end" in text
    for run in plan.runs()[1::2]:
        finish(run, 0.5, gates={"11.CoTAttention": [0.004] * 39 + [0.2]})
    assert not caveats(Results(plan))
