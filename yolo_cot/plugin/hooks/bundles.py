"""Opening bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ultralytics.nn import tasks

from ..bundle import SUFFIX, read
from ..undo import Undo, imported, replace, together


def patch_bundle_loading() -> Undo | None:
    """Let a bundle stand where a checkpoint does: `YOLO("best.bundle")`, `.load(...)`, `model=` and `pretrained=`.

    None while Ultralytics is still importing its class `Model`, to be tried again then.
    """
    owner = imported("ultralytics.engine.model", "Model")
    if owner is None:
        return None
    return together(replace(owner.Model, "_load", _opening), replace(tasks, "torch_safe_load", _reading))


def _is_bundle(path: object) -> bool:
    return Path(str(path)).suffix == SUFFIX and Path(str(path)).is_dir()


def _reading(load: Callable) -> Callable:
    def load_bundle(weight, *args, **kwargs):
        if not _is_bundle(weight):
            return load(weight, *args, **kwargs)
        model = read(weight)
        # `epoch` -1 says that the training is finished.
        return {"model": model, "epoch": -1, "train_args": model.args}, weight

    return load_bundle


def _opening(load: Callable) -> Callable:
    def open_bundle(self, weights, *args, **kwargs):
        if not _is_bundle(weights):
            return load(self, weights, *args, **kwargs)
        # Training takes the weights of a model that has a checkpoint.
        self.ckpt, _ = tasks.torch_safe_load(weights)
        self.model = self.ckpt["model"]
        self.task = self.model.task
        self.overrides = self.model.args = self._reset_ckpt_args(self.model.args)
        self.ckpt_path = self.model_name = str(weights)
        self.overrides["model"] = str(weights)
        self.overrides["task"] = self.task
        return None

    return open_bundle
