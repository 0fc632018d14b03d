"""What verbs print while they work: how far they are, and how long the rest takes."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from yolo_cot.commands import output
from yolo_cot.commands.output import announce, duration, track


def test_every_item_is_announced_with_the_time_that_is_left(monkeypatch, caplog):
    clock = iter([0.0, 120.0, 240.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert list(announce(iter("abc"), "file", 3)) == ["a", "b", "c"]
    assert caplog.messages == ["file 1 of 3", "file 2 of 3, 4 min left", "file 3 of 3, 2 min left"]


def test_one_item_is_not_announced(caplog):
    assert list(announce("a", "file", 1)) == ["a"]
    assert caplog.messages == []


def test_a_terminal_shows_how_many_are_done_and_how_long_the_rest_takes(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(output, "Console", lambda **_: Console(file=screen, force_terminal=True, width=80))
    assert list(track("abc", "measuring")) == ["a", "b", "c"]
    for text in ("measuring", "0/3", "2/3", "0:00:00"):
        assert text in screen.getvalue()


def test_where_there_is_no_terminal_nothing_is_shown(capfd):
    assert list(track(iter("abc"), "measuring", 3)) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seconds, words", [(10, "less than a minute"), (130, "2 min"), (7260, "2 h 1 min")])
def test_a_duration_is_said_in_words(seconds, words):
    assert duration(seconds) == words
