"""Loading checkpoints: the classes that one of ours may name, and a clear message for one that is cut short."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from ultralytics.nn import tasks

from .. import nn as blocks
from .undo import Undo, replace


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


def damaged_files() -> Undo:
    """Say that a checkpoint is damaged where torch says no more than `Invalid argument`: a file that was cut short."""

    def make(load: Callable) -> Callable:
        def load_or_say(weight, *args, **kwargs):
            try:
                return load(weight, *args, **kwargs)
            except OSError as error:
                if not Path(str(weight)).is_file() or error.filename is not None:
                    raise
                raise TypeError(
                    f"{weight} is not a loadable checkpoint: the file is truncated or corrupted ({error}). "
                    f"Copy, download or train it again."
                ) from error

        return load_or_say

    return replace(tasks, "torch_safe_load", make)
