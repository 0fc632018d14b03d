"""Modules of Ultralytics as blocks: those that its parser places, and those that it has files of but cannot place."""

from __future__ import annotations

import inspect
from functools import lru_cache

from torch import nn
from ultralytics.nn import modules, tasks

from .block import Block
from .first_argument import channels_first

PREFIX = "ultralytics."
_HOMES = {"ultralytics.nn.modules.block", "ultralytics.nn.modules.conv", "ultralytics.nn.modules.transformer"}


def _class_of(owner: object, name: str) -> type[nn.Module] | None:
    cls = getattr(owner, name, None)
    plain = inspect.isclass(cls) and issubclass(cls, nn.Module) and cls.__module__ in _HOMES
    return cls if plain else None


@lru_cache
def placed(name: str) -> Block | None:
    """A stock module whose rows give an output channel count, (c1, c2, …), such as C2PSA; it counts as itself."""
    cls = _class_of(tasks, name)
    return (
        Block(cls, counts_as=cls, foreign=True)
        if cls and list(inspect.signature(cls).parameters)[:2] == ["c1", "c2"]
        else None
    )


@lru_cache
def unplaced(name: str) -> Block | None:
    """A module that Ultralytics defines and its parser does not know, such as CBAM, which keeps its input's channels.

    It is built with them as first argument, behind our gate. Its rows are named `ultralytics.CBAM`, for a user's block
    may well be called CBAM.
    """
    plain = name.removeprefix(PREFIX)
    cls = _class_of(modules, plain)
    if cls is None or not channels_first(cls) or hasattr(tasks, plain):
        return None
    return Block(cls, foreign=True, gated=True, alias=PREFIX + plain)
