"""Replacing a function of Ultralytics, and putting it back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ultralytics.utils import LOGGER

Undo = Callable[[], None]


def replace(owner: Any, name: str, make: Callable[[Callable], Callable]) -> Undo:
    """Put `make(original)` in the place of `owner.name`.

    Returns:
        A function that puts the original back. Where somebody else has wrapped or replaced ours since, theirs stays:
        a warning names it, and ours, inside it, hands everything to the original from then on.
    """
    original = getattr(owner, name)
    inherited = name not in vars(owner)
    ours, active = make(original), True

    @functools.wraps(original)
    def call(*args, **kwargs):
        return (ours if active else original)(*args, **kwargs)

    def undo() -> None:
        nonlocal active
        active = False
        if vars(owner).get(name) is not call:
            LOGGER.warning(
                f"yolo_cot: {owner.__name__}.{name} was replaced by another package after this one; that stays, and "
                f"yolo_cot's part in it does nothing any more."
            )
        elif inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, original)

    setattr(owner, name, call)
    return undo


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
