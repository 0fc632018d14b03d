"""Loading checkpoints: the classes that one of ours may name, and a clear message for one that is cut short."""

from __future__ import annotations

import pickle
import pkgutil
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path

import torch
from ultralytics import __version__ as ultralytics_version
from ultralytics.nn import tasks

from ... import nn as blocks
from ..undo import Undo, replace


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
    """Say that a checkpoint is damaged where torch says no more than `Invalid argument` or `Ran out of input`.

    Recent releases of Ultralytics say so themselves for most damages; older ones for none.
    """

    def make(load: Callable) -> Callable:
        def load_or_say(weight, *args, **kwargs):
            try:
                return load(weight, *args, **kwargs)
            except (OSError, EOFError, pickle.UnpicklingError, RuntimeError) as error:
                if not Path(str(weight)).is_file() or not _of_damage(error):
                    raise
                raise TypeError(
                    f"{weight} is not a loadable checkpoint: the file is truncated or corrupted ({error}). "
                    f"Copy, download or train it again."
                ) from error

        return load_or_say

    return replace(tasks, "torch_safe_load", make)


def _of_damage(error: Exception) -> bool:
    """Whether an error of torch's loading means that the file is not what was written once."""
    if isinstance(error, OSError):
        return error.filename is None  # else the system names a file that it cannot open
    if isinstance(error, pickle.UnpicklingError):
        return "Weights only load failed" not in str(error)  # a class that restricted loading refuses
    return isinstance(error, EOFError) or "PytorchStreamReader" in str(error)


def save_full(model: torch.nn.Module, file: str | Path, task: str) -> None:
    """Write a checkpoint of Ultralytics' layout with the weights as they are; `YOLO.save` would halve their precision.

    Args:
        model: an Ultralytics model.
        file: the `.pt` file to write.
        task: `classify`, `detect`, …
    """
    # What Ultralytics' own loading puts on a model that was built from a YAML, and writes into checkpoints.
    model.args = {"task": task, "imgsz": 224 if task == "classify" else 640}  # type: ignore[assignment]
    checkpoint = {
        "date": datetime.now().isoformat(),
        "version": ultralytics_version,
        "epoch": -1,
        "model": model.eval(),
        "ema": None,
        "train_args": {"task": task, "imgsz": 224 if task == "classify" else 640},
    }
    torch.save(checkpoint, file)
