"""A clear message for a checkpoint that is cut short."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

from ultralytics.nn import tasks

from ..undo import Undo, replace


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
                raise damage(weight, error) from error

        return load_or_say

    return replace(tasks, "torch_safe_load", make)


def damage(file: object, error: Exception) -> TypeError:
    """The error of a file that is not what was written once."""
    return TypeError(
        f"{file} is not a loadable checkpoint: the file is truncated or corrupted ({error}). "
        f"Copy, download or train it again."
    )


def _of_damage(error: Exception) -> bool:
    """Whether an error of torch's loading means that the file is not what was written once."""
    if isinstance(error, OSError):
        return error.filename is None  # else the system names a file that it cannot open
    if isinstance(error, pickle.UnpicklingError):
        return "Weights only load failed" not in str(error)  # a class that restricted loading refuses
    return isinstance(error, EOFError) or "PytorchStreamReader" in str(error)
