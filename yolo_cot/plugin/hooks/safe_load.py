"""Restricted loading (`ULTRALYTICS_SAFE_LOAD=1`): the classes that a checkpoint of ours may name."""

from __future__ import annotations

import torch

from ..catalog import own_classes
from ..catalog.table import listeners
from ..undo import Undo


def safe_globals() -> Undo:
    """Allow our classes in checkpoints that are loaded with `weights_only=True`; nothing else."""
    allow = getattr(torch.serialization, "add_safe_globals", None)
    if allow is None:  # torch before 2.5 has no such list, and Ultralytics no restricted loading there
        return lambda: None
    new: list[type[torch.nn.Module]] = []

    def admit(*classes: type[torch.nn.Module]) -> None:
        more = [cls for cls in classes if cls not in torch.serialization.get_safe_globals()]
        new.extend(more)
        allow(more)

    admit(*own_classes())
    listeners.append(admit)

    def undo() -> None:
        listeners.remove(admit)
        others = [entry for entry in torch.serialization.get_safe_globals() if entry not in new]
        torch.serialization.clear_safe_globals()
        allow(others)

    return undo
