"""Replacing a function of Ultralytics, and putting it back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

Undo = Callable[[], None]


def replace(owner: Any, name: str, make: Callable[[Callable], Callable]) -> Undo:
    """Put `make(original)` in the place of `owner.name`; the returned function puts the original back."""
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))
    return lambda: setattr(owner, name, original)


def together(*undos: Undo) -> Undo:
    """One function for several: it calls them, the last one first."""

    def undo() -> None:
        for one in reversed(undos):
            one()

    return undo


def imported(module: str, name: str) -> Any:
    """Import a module of Ultralytics that defines `name`; None while its import has not got that far.

    That is so when Ultralytics itself set off the import of this package, through the start-up line.
    """
    try:
        owner = import_module(module)
    except ImportError as error:
        if "partially initialized module" in str(error):
            return None
        raise
    return owner if hasattr(owner, name) else None
