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
def announced() -> dict[str, dict[str, EntryPoint]]:
    """The announced blocks by name, and by where they are, such as `my_package.attention:CBAM`.

    They are looked up when a name is asked for that nobody else knows.
    """
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, {})[point.value] = point
    return found


def find(name: str) -> Block | None:
    """The announced block of a name, imported and registered; None if none is announced.

    Raises:
        ValueError: several packages announce that name, the package cannot be imported, or what it announces is no
            block of that name.
    """
    points = announced().get(name, {})
    if len(points) > 1:
        raise ValueError(f"{name} is announced as {' and as '.join(points)}; one name means one block. Uninstall one.")
    for value, point in points.items():
        whose = f"the package {point.dist.name if point.dist else value}"
        try:
            cls = point.load()
        except (Exception, SystemExit) as error:  # a package may raise anything while it is imported
            raise ValueError(
                f"{name} is announced by {whose} as {value}, whose import failed: {type(error).__name__}: {error}"
            ) from error
        try:
            if name not in BLOCKS:
                register(cls)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} is announced by {whose} as {value}: {error}") from error
        if name not in BLOCKS:
            raise ValueError(f"{whose} announces {name}, and {value} is a block of another name.")
    return BLOCKS.get(name) if points else None
