"""Weight loading for models with our blocks: old rows are paired with new ones, then Ultralytics' own loading runs.

Models that name no block of ours load through Ultralytics' function, called with what came in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import LOGGER

from ..catalog import BLOCKS
from ..rows import names_ours
from ..transfer import Layer, align, homes, layers_of, row_texts
from ..transfer_report import report

_STOCK = {name: block.counts_as.__name__ for name, block in BLOCKS.items() if block.counts_as}


def install() -> Callable[[], None]:
    """Wrap `BaseModel.load`; the returned function puts the original back."""
    original = BaseModel.load

    @functools.wraps(original)
    def load(self: BaseModel, weights: Any, verbose: bool = True) -> None:
        seated = seat(weights, self)
        if seated is None:
            return original(self, weights, verbose)
        original(self, seated, verbose)
        if verbose:
            new = layers_of(self.model, self.yaml, _STOCK)
            LOGGER.info("\n".join(report(seated.moved(self), seated.old, new, seated.pairs)))
        return None

    BaseModel.load = load

    def undo() -> None:
        BaseModel.load = original

    return undo


def seat(weights: Any, target: BaseModel) -> Seated | None:
    """A view of pretrained weights in which every row stands where `target` has it.

    Args:
        weights: what `BaseModel.load` takes: a model, or a checkpoint dictionary that holds one.
        target: the model to load into.

    Returns:
        None where stock loading does the same: for a target without blocks of ours, and for weights of its very rows.
    """
    new = getattr(target, "yaml", None)
    if not isinstance(new, dict) or not names_ours(new):
        return None
    source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
    old, modules = getattr(source, "yaml", None), getattr(source, "model", None)
    if not isinstance(old, dict) or not isinstance(modules, nn.Sequential) or row_texts(old, {}) == row_texts(new, {}):
        return None
    return Seated(source, list(modules), layers_of(modules, old, _STOCK), layers_of(target.model, new, _STOCK))


class Seated:
    """A pretrained model as `BaseModel.load` reads one, with its rows where another model has them.

    Attributes:
        model: for every row of the target the module of its old row, None where there is none.
        old: what the source's rows hold.
        pairs: for every row of the target the number of its old row, None for a row that is new.
    """

    def __init__(self, source: nn.Module, modules: list[nn.Module], old: list[Layer], new: list[Layer]) -> None:
        self.source, self.old, self.pairs = source, old, align(old, new)
        self.model = [None if i is None else modules[i] for i in self.pairs]
        self._names = {
            f"model.{i}.{name}": f"model.{j}.{name}"
            for j, i in enumerate(self.pairs)
            if i is not None
            for name in homes(old[i], new[j])
        }
        self._state: dict[str, Tensor] = {}
        self._shapes: dict[str, torch.Size] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def float(self) -> Seated:
        """Convert the source to float32, as loading asks for."""
        self.source.float()
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """The source's tensors that have a home in the target, under the target's names."""
        state = self.source.state_dict()
        self._state = {self._names.get(k, k): v for k, v in state.items() if k in self._names or not _of_row(k)}
        self._shapes = {k: v.shape for k, v in self._state.items()}
        return self._state

    def moved(self, target: BaseModel) -> set[str]:
        """After loading: the target's tensors that got the source's values, by name.

        Class rows that were matched by class name are among them: loading takes those out of the state dict.
        """
        state = target.state_dict()
        return {
            name
            for name, shape in self._shapes.items()
            if name in state and (state[name].shape == shape or name not in self._state)
        }


def _of_row(name: str) -> bool:
    return name.startswith("model.") and name.split(".")[1].isdigit()
