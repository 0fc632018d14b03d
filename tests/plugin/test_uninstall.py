"""Uninstalling takes out what is ours and nothing else; a `parse_model` imported before us says so."""

from __future__ import annotations

import functools

import pytest
from ultralytics.nn import tasks

from tests.processes import python
from yolo_cot.plugin import install, uninstall

from .models import build, with_row

BLOCK = [-1, 1, "CoTAttention", [{"gate": 0.0}]]


@pytest.fixture
def later():
    """Another package that has wrapped `parse_model` after us; its calls are counted."""
    calls = []
    ours = tasks.parse_model

    @functools.wraps(ours)
    def theirs(*args, **kwargs):
        calls.append(args)
        return ours(*args, **kwargs)

    tasks.parse_model = theirs
    yield theirs, calls
    uninstall()
    tasks.parse_model = ours.__wrapped__
    install()


def test_a_wrapper_that_came_after_us_stays_and_is_named(later, said):
    theirs, calls = later
    uninstall()
    assert tasks.parse_model is theirs
    assert [line for line in said if "ultralytics.nn.tasks.parse_model was replaced by another package" in line]
    build([-1, 1, "Conv", [64]])
    assert len(calls) == 1
    # Ours, inside theirs, does nothing any more: a block of ours is as unknown as without us.
    with pytest.raises(KeyError, match="CoTAttention"):
        build(BLOCK)
    assert not hasattr(tasks, "CoTAttention")


def test_installing_again_works_around_a_wrapper_that_stayed(later):
    theirs, calls = later
    uninstall()
    install()
    assert type(build(BLOCK).model[2]).__name__ == "CoTAttention"
    build([-1, 1, "Conv", [64]])
    assert calls  # stock models still pass through theirs
    uninstall()
    assert tasks.parse_model is theirs


def test_uninstalling_says_nothing_when_everything_is_ours(said):
    uninstall()
    try:
        assert not said
    finally:
        install()


def test_a_name_that_another_package_has_taken_over_stays():
    mine = tasks.CoTAttention
    tasks.CoTAttention = other = type("Other", (), {})
    try:
        uninstall()
        assert tasks.CoTAttention is other
    finally:
        del tasks.CoTAttention
        install()
    assert tasks.CoTAttention is not mine


EARLY = """
from ultralytics.{module} import parse_model
from ultralytics.nn import tasks
import yolo_cot
rows = {{"nc": 1, "backbone": [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "CoTAttention", [{{"gate": 0.0}}]]],
        "head": [[[1], 1, "Detect", ["nc"]]]}}
try:
    parse_model(rows, ch=3)
except ValueError as error:
    print("said:", error)
model, _ = tasks.parse_model(rows, ch=3, verbose=False)
print("built", type(model[1]).__name__)
"""


def test_a_parse_model_that_was_imported_before_us_says_so():
    done = python(EARLY.format(module="nn.tasks")).stdout
    assert "said: CoTAttention is built by the parse_model that yolo_cot puts into ultralytics.nn.tasks" in done
    assert "Import yolo_cot first, or call ultralytics.nn.tasks.parse_model." in done
    assert "built CoTAttention" in done


def test_the_parse_model_of_the_package_above_is_ours_too():
    from ultralytics import nn

    assert type(nn.parse_model(with_row(BLOCK), ch=3, verbose=False)[0][2]).__name__ == "CoTAttention"
    uninstall()
    try:
        assert nn.parse_model is tasks.parse_model
    finally:
        install()
