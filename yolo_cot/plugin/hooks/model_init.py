"""Errors of a model that names our blocks: what goes wrong while it is built becomes one error with file and row."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import torch
from ultralytics.nn import tasks

from ..row_errors import RowError, located
from ..rows import names_ours
from ..undo import Undo, replace, together


def patch_model_init() -> Undo:
    """Name file and row in errors of the forward pass with which Ultralytics finds a model's strides.

    Rows that do not fit together, such as a Concat of maps of different sizes, are found only there. Classifiers have
    no such pass, so one with our blocks gets it here.
    """
    classes = (tasks.DetectionModel, tasks.ClassificationModel)
    return together(*(replace(cls, "__init__", _located_init) for cls in classes))


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
