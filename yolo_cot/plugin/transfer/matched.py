"""A view of pretrained weights in which every row stands where another model has it."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from ultralytics.nn.tasks import BaseModel

from ..catalog import stock_names
from .align import align, homes, layers_of, row_texts


def match_rows(weights: Any, target: BaseModel) -> RowMatchedWeights | None:
    """A view of pretrained weights in which every row stands where `target` has it.

    Args:
        weights: what `BaseModel.load` takes: a model, or a checkpoint dictionary that holds one.
        target: the model to load into.

    Returns:
        None for weights or a target that are not made of the rows of a YAML.
    """
    source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
    if not all(_has_rows(model) for model in (source, target)):
        return None
    return RowMatchedWeights(source, target)


def _has_rows(model: Any) -> bool:
    return isinstance(getattr(model, "yaml", None), dict) and isinstance(getattr(model, "model", None), nn.Sequential)


class RowMatchedWeights:
    """A pretrained model as `BaseModel.load` reads one, with its rows where another model has them.

    Attributes:
        model: for every row of the target the module of its old row, None where there is none.
        old: what the source's rows hold.
        pairs: for every row of the target the number of its old row, None for a row that is new.
        same_rows: whether both say the same in the same rows, so that stock loading does what is right.
        names: where the source's tensors have their home in the target, name to name.
    """

    def __init__(self, source: nn.Module, target: BaseModel) -> None:
        stock, config = stock_names(), cast("dict[str, Any]", source.yaml)
        modules = list(cast(nn.Sequential, source.model))
        self.source, self.old = source, layers_of(modules, config, stock)
        self.pairs = align(self.old, new := layers_of(target.model, target.yaml, stock))
        self.same_rows = row_texts(config, {}) == row_texts(target.yaml, {})
        self.model = [None if i is None else modules[i] for i in self.pairs]
        self.names = {
            f"model.{i}.{name}": f"model.{j}.{name}"
            for j, i in enumerate(self.pairs)
            if i is not None
            for name in homes(self.old[i], new[j])
        }
        self._state: dict[str, Tensor] = {}
        self._shapes: dict[str, torch.Size] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def float(self) -> RowMatchedWeights:
        """Convert the source to float32, as loading asks for."""
        self.source.float()
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """The source's tensors that have a home in the target, under the target's names."""
        state = self.source.state_dict()
        self._state = {self.names.get(k, k): v for k, v in state.items() if k in self.names or not _of_row(k)}
        self._shapes = {k: v.shape for k, v in self._state.items()}
        return self._state

    def moved(self, target: nn.Module) -> set[str]:
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
