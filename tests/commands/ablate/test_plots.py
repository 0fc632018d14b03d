"""The pictures of the report."""

from __future__ import annotations

import math

import pytest

from yolo_cot.commands.ablate.report import plots


@pytest.mark.parametrize(
    "curves, seen",
    [
        ({"a": [[0.0, 30.0, 58.0, 59.0], [0.0, 40.0, 57.0, 60.0]], "b": [[0.0, 50.0, 56.0, 58.0]]}, (30.0, 60.0)),
        ({"a": [[0.0, 50.0, math.nan, 60.0]]}, (50.0, 60.0)),
        ({"a": [[0.0, math.nan]]}, None),
        ({"a": [[7.0, 7.0, 7.0, 7.0]]}, None),
    ],
)
def test_the_trainings_are_shown_at_the_heights_at_which_they_end(tmp_path, monkeypatch, curves, seen):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, file: figures.append(figure) or file)
    plots.lines(curves, tmp_path / "a.svg", "epoch", "points", late=True)
    plots.lines(curves, tmp_path / "a.svg", "epoch", "points")
    late, whole = (figure.axes[0].get_ylim() for figure in figures)
    if seen is None:
        assert late == whole
    else:
        room = 0.05 * (seen[1] - seen[0])
        assert late == pytest.approx((seen[0] - room, seen[1] + room))
        assert whole[0] < late[0]
