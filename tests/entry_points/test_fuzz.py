"""Hypothesis writes rows: each either builds, runs and backpropagates, or is told in one error with file and row.

The default run tries a few; with YOLO_COT_FUZZ=2000 in the environment, or under `-m slow`, it tries 2,000.
"""

from __future__ import annotations

import os
import re
import warnings

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ultralytics.nn.tasks import DetectionModel

from tests.plugin.models import with_row
from yolo_cot.plugin.catalog import INSERTABLE
from yolo_cot.plugin.row_errors import RowError

FEW = int(os.environ.get("YOLO_COT_FUZZ", "60"))
MANY = max(FEW, 2000)

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.floats(-2, 2),
    st.sampled_from(
        ["", "nc", "ch", "None", "1", "3", "os", "a b", "(", "[3, 3]", "1e400", "_kind", "args", "9" * 5000]
    ),
    st.text(max_size=6),
    st.lists(st.integers(-1, 5), max_size=3),
    st.binary(max_size=3),
)
plausible = st.one_of(st.integers(1, 9), st.sampled_from([0.0, 0.25, 0.5, 1.0, True, False, None]))
values = st.one_of(plausible, odd)
names = st.sampled_from(sorted({p.name for block in INSERTABLE.values() for p in block.parameters}))
keys = st.one_of(names, st.text(max_size=8), st.integers())
named = st.dictionaries(keys, values, max_size=3)
ours = st.sampled_from(sorted(INSERTABLE))


@st.composite
def rows(draw):
    """A row that names one of our blocks, mostly well formed."""
    name = draw(ours)
    given = draw(st.lists(values, max_size=4))
    if INSERTABLE[name].counts_as and draw(st.integers(0, 3)):
        given = [draw(st.sampled_from([16, 32, 64, 100])), *given]
    if draw(st.booleans()):
        given = [*given, draw(named)]
    if not draw(st.integers(0, 2)):
        given = given[:1] if INSERTABLE[name].counts_as else []
    source = draw(st.one_of(st.just(-1), st.sampled_from([-2, 0, 1, 5, -9, None, "x", [-1], [0, 1], 1.0, True])))
    repeats = draw(st.one_of(st.integers(1, 3), st.sampled_from([0, -1, 10**9, None, 1.5, "2", True])))
    row = [source if draw(st.integers(0, 3)) == 0 else -1, repeats if draw(st.integers(0, 3)) == 0 else 1, name, given]
    if not draw(st.integers(0, 20)):
        row = draw(st.sampled_from([row[:3], [*row, 1], [row[2]], [row[0], row[2], row[3]], [*row[:3], draw(named)]]))
    return row


@st.composite
def models(draw):
    """A detector with that row in backbone or head, sometimes behind a row that does not fit."""
    more = {"activation": "nn.ReLU()"} if not draw(st.integers(0, 9)) else {}
    model = with_row(draw(rows()), draw(st.sampled_from("nsm")), draw(st.sampled_from(["backbone", "head"])), **more)
    if not draw(st.integers(0, 9)):
        model["head"].insert(0, [[-1, 0], 1, "Concat", [1]])
    if not draw(st.integers(0, 19)):
        model["backbone"].append([-1, 1, draw(st.sampled_from(["CoTAttentoin", "Conv", "nn.Identity", ""])), [32, 1]])
    return model


def holds(model: dict) -> None:
    """Build, run and backpropagate, or one error of ours."""
    from ultralytics.nn.modules import Conv

    activation = Conv.default_act
    told = ""
    try:
        with warnings.catch_warnings():
            # A ratio so small that no channel is left: torch warns of it, and the error follows.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            built = DetectionModel(model, verbose=False)
    except RowError as error:
        told = str(error)
    if told:
        assert re.match(r"mine\.yaml row \d+", told), told
    else:
        predictions = built(torch.rand(2, 3, 32, 32))
        tensors = predictions.values() if isinstance(predictions, dict) else predictions
        total = sum(t.float().sum() for t in tensors if isinstance(t, torch.Tensor))
        total.backward()
        assert any(p.grad is not None for p in built.parameters())
    assert Conv.default_act is activation


common = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck), "database": None}


@settings(max_examples=FEW, **common)
@given(models())
def test_a_row_builds_or_is_told_by_file_and_row(model):
    holds(model)


@pytest.mark.slow
@settings(max_examples=MANY, **common)
@given(models())
def test_two_thousand_rows_build_or_are_told_by_file_and_row(model):
    holds(model)
