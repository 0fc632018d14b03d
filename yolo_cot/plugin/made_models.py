"""Model YAMLs that are made when their names are asked for. The room above that makes them says so here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Maker(Protocol):
    """What makes model YAMLs."""

    def find(self, name: str) -> Path | None:
        """The file that a name without a folder asks for; None if it is no name of this maker's."""

    def hint(self, name: str) -> str:
        """A sentence with the nearest right name for a wrong one; "" if none is near."""


# Called at the first name that nobody ships, so that a stock model does not pay for importing the maker.
maker: Callable[[], Maker] | None = None


def find(name: str) -> Path | None:
    """The file that a name without a folder asks for, made where it is not there yet; None if nobody makes it."""
    return maker().find(name) if maker else None


def hint(name: str) -> str:
    """A sentence with the nearest right name for a wrong one; "" if none is near."""
    return maker().hint(name) if maker else ""
