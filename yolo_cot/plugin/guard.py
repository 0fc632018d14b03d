"""What Ultralytics' parser finds under the name of a block if it was taken before this package was imported."""

from __future__ import annotations

from torch import nn
from ultralytics.nn import tasks

from .catalog.table import SHIPPED
from .undo import Undo


def names_taken() -> list[str]:
    """The names of this package's blocks that Ultralytics has modules for."""
    return [name for name in SHIPPED if hasattr(tasks, name)]


def guard_names() -> Undo:
    """Let `parse_model`, where it was imported before this package, say so when it meets a block of ours.

    Such a reference is Ultralytics' own function. It does not ask the catalog, and its globals have the blocks' names
    for this message alone.
    """
    guards = {name: type(name, (nn.Module,), {"__new__": _refuse, "__module__": __name__}) for name in SHIPPED}
    for name, guard in guards.items():
        setattr(tasks, name, guard)

    def undo() -> None:
        for name, guard in guards.items():
            if vars(tasks).get(name) is guard:
                delattr(tasks, name)

    return undo


def _refuse(cls, *args, **kwargs):
    raise ValueError(
        f"{cls.__name__} is built by the parse_model that yolo_cot puts into ultralytics.nn.tasks, and this one was "
        f"imported before it. Import yolo_cot first, or call ultralytics.nn.tasks.parse_model."
    )
