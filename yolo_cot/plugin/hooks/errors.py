"""Errors of a model that names our blocks: what goes wrong while it is built becomes one error with file and row."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable
from typing import Any

import torch
from ultralytics.nn import tasks

from ..rows import RowError, names_ours, rows, where
from ..undo import Undo, replace

# The frame in which each of Ultralytics' loops over the rows stands, and how the row's number is read from it.
_ROW_IN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "parse_model": lambda names: names.get("i") if "layers" in names else None,
    "_predict_once": lambda names: getattr(names.get("m"), "i", None),
}


def located(model: dict[str, Any], error: Exception) -> RowError:
    """The error of a row, with file and row in front.

    Args:
        model: the model dictionary.
        error: what was raised while the model was parsed or run; its traceback holds the row.
    """
    row = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        read = _ROW_IN.get(frame.f_code.co_name)
        row = row if read is None or read(frame.f_locals) is None else read(frame.f_locals)
    every = rows(model)
    named = isinstance(row, int) and row < len(every) and isinstance(every[row], (list, tuple)) and len(every[row]) > 2
    name = f" ({every[row][2]})" if isinstance(row, int) and named else ""
    plain = isinstance(error, (ValueError, TypeError)) and str(error)
    reason = str(error) if plain else f"{type(error).__name__}: {error}"
    return RowError(f"{where(model, row if isinstance(row, int) else None)}{name}: {reason}")


def building() -> Undo:
    """Name file and row in errors of the forward pass with which Ultralytics finds a model's strides.

    Rows that do not fit together, such as a Concat of maps of different sizes, are found only there. Classifiers have
    no such pass, so one with our blocks gets it here.
    """
    undo = [replace(cls, "__init__", _located_init) for cls in (tasks.DetectionModel, tasks.ClassificationModel)]

    def undo_all() -> None:
        for one in undo:
            one()

    return undo_all


def _located_init(init: Callable) -> Callable:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def build(self, *args, **kwargs):
        try:
            init(self, *args, **kwargs)
            if isinstance(self, tasks.ClassificationModel) and names_ours(self.yaml):
                call = signature.bind(self, *args, **kwargs)
                call.apply_defaults()
                _run_once(self, call.arguments.get("ch", 3))
        except RowError:
            raise
        except Exception as error:
            model = getattr(self, "yaml", None)
            if not isinstance(model, dict) or not names_ours(model):
                raise
            raise located(model, error) from error

    return build


@torch.no_grad()
def _run_once(model: torch.nn.Module, channels: int, size: int = 64) -> None:
    """Run a model on one empty image; it is left as it was, in training mode."""
    model.eval()
    model(torch.zeros(1, channels, size, size))
    model.train()
