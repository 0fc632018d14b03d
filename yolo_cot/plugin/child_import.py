"""What a process that Ultralytics starts runs before anything else, so that it knows the blocks."""

from __future__ import annotations

import importlib

from ..paths import PACKAGE_ROOT
from .catalog import BLOCKS
from .catalog.files import own_folders
from .catalog.register import register
from .catalog.table import is_shipped


def child_import() -> str:
    """Python on one line: imports this package, and registers what the user registered here."""
    blocks = [block for name, block in BLOCKS.items() if not is_shipped(name)]
    # They may be in folders that only the parent's sys.path has; these go last, and shadow nothing.
    folders = [str(PACKAGE_ROOT), *own_folders()]
    start = f"import sys; sys.path += [p for p in {list(dict.fromkeys(folders))!r} if p not in sys.path]"
    own = [
        (block.cls.__module__, block.cls.__name__, block.counts_as and block.counts_as.__name__, block.gated)
        for block in blocks
    ]
    more = f"; from yolo_cot.plugin.child_import import register_again; register_again({own!r})" if own else ""
    return f"{start}; import yolo_cot{more}"


def register_again(blocks: list[tuple[str, str, str | None, bool]]) -> None:
    """Register what a parent process had registered.

    Args:
        blocks: for each its module, its class, the name of the stock class that it counts as, and whether it is gated.
    """
    for module, name, counts_as, gated in blocks:
        cls = getattr(importlib.import_module(module), name)
        if name not in BLOCKS:
            register(cls, counts_as=counts_as, gate=gated if counts_as is None else None)
