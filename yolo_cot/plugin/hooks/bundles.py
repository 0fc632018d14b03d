"""Opening bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..bundle import SUFFIX, read
from ..undo import Undo, imported, replace


def patch_bundle_loading() -> Undo | None:
    """Let `YOLO("best.bundle")`, and `model=best.bundle` on the command line, open a bundle.

    None while Ultralytics is still importing its class `Model`, to be tried again then.
    """
    owner = imported("ultralytics.engine.model", "Model")
    return replace(owner.Model, "_load", _opening) if owner else None


def _opening(load: Callable) -> Callable:
    def open_bundle(self, weights, *args, **kwargs):
        if Path(str(weights)).suffix != SUFFIX or not Path(str(weights)).is_dir():
            return load(self, weights, *args, **kwargs)
        self.model = read(weights)
        # Training takes the weights of a model that has a checkpoint; `epoch` -1 says that it is finished.
        self.ckpt = {"model": self.model, "epoch": -1, "train_args": self.model.args}
        self.task = self.model.task
        self.overrides = self.model.args = self._reset_ckpt_args(self.model.args)
        self.ckpt_path = self.model_name = str(weights)
        self.overrides["model"] = str(weights)
        self.overrides["task"] = self.task
        return None

    return open_bundle
