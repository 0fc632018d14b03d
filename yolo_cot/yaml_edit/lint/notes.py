"""What is no fault of a model YAML and good to know all the same."""

from __future__ import annotations

from pathlib import Path

from ...plugin.probe import probe
from ...plugin.row_errors import one_line
from ..blocks import passes_on
from ..files import find_model
from ..graph import rows_of
from ..reading import read_model
from .file import class_note


def notes(name: str | Path) -> list[str]:
    """Sentences on a model YAML without faults: the class that builds it, and rows that could not be checked.

    A module of somebody else's may need numbers to run, and is looked at without any.

    Args:
        name: a path, or a name that Ultralytics or this package ships, with or without the letter of a scale.
    """
    path, _ = find_model(name)
    model = read_model(path)
    found = [
        one_line(f"{row} was not checked, nor what reads it: {probed.unchecked}", 300)
        for row, probed in zip(rows_of(model), probe(model, assume=passes_on))
        if probed.unchecked
    ]
    return [note for note in (class_note(path, model), *found) if note]
