"""Blocks that installed packages announce, by an entry point of the group `yolo_cot.blocks`.

[project.entry-points."yolo_cot.blocks"]
CBAM = "my_package.attention:CBAM"
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from .block import Block
from .register import register
from .table import BLOCKS

GROUP = "yolo_cot.blocks"


@lru_cache(maxsize=1)
def announced() -> dict[str, EntryPoint]:
    """The announced blocks by name; looked up when a name is asked for that nobody else knows."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find(name: str) -> Block | None:
    """The announced block of a name, imported and registered; None if none is announced.

    Raises:
        ValueError: the package cannot be imported, or what it announces is no block of that name.
    """
    point = announced().get(name)
    if point is None:
        return None
    whose = f"the package {point.dist.name if point.dist else point.module}"
    try:
        cls = point.load()
    except Exception as error:  # a package may raise anything while it is imported
        raise ValueError(
            f"{name} is announced by {whose} as {point.value}, whose import failed: {type(error).__name__}: {error}"
        ) from error
    if name not in BLOCKS:
        register(cls)
    if name not in BLOCKS:
        raise ValueError(f"{whose} announces {name}, and {point.value} is a block of another name.")
    return BLOCKS[name]
