"""Restricted loading of checkpoints: the classes that a checkpoint of ours may name."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import torch

from .. import nn as blocks
from .undo import Undo


def own_classes() -> list[type[torch.nn.Module]]:
    """Every module class that `yolo_cot.nn` defines: those that a pickled model of ours can refer to."""
    found = []
    for info in pkgutil.walk_packages(blocks.__path__, blocks.__name__ + "."):
        for value in vars(import_module(info.name)).values():
            if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__ == info.name:
                found.append(value)
    return found


def safe_globals() -> Undo:
    """Allow our classes in checkpoints that are loaded with `weights_only=True`; nothing else."""
    allow = getattr(torch.serialization, "add_safe_globals", None)
    if allow is None:  # torch before 2.5 has no such list, and Ultralytics no restricted loading there
        return lambda: None
    before = torch.serialization.get_safe_globals()
    new = [cls for cls in own_classes() if cls not in before]
    allow(new)

    def undo() -> None:
        others = [entry for entry in torch.serialization.get_safe_globals() if entry not in new]
        torch.serialization.clear_safe_globals()
        allow(others)

    return undo
