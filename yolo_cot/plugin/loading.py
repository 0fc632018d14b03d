"""Weight loading for models with our blocks: old rows are paired with new ones, then Ultralytics' own loading runs.

Models that name no block of ours load through Ultralytics' function, called with what came in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import LOGGER

from .catalog import BLOCKS
from .rows import names_ours
from .transfer import Layer, align, homes, layers_of, row_texts
from .transfer_report import report

_STOCK = {name: block.counts_as.__name__ for name, block in BLOCKS.items() if block.counts_as}


def install() -> Callable[[], None]:
    """Wrap `BaseModel.load`; the returned function puts the original back."""
    original = BaseModel.load

    @functools.wraps(original)
    def load(self: BaseModel, weights: Any, verbose: bool = True) -> None:
        source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
        seated = seat(source, self)
        if seated is None:
            return original(self, weights, verbose)
        original(self, seated, verbose)
        if verbose:
            for line in report(seated.moved(self), seated.old, layers_of(self.model, seated.texts), seated.pairs):
                LOGGER.info(line)
        return None

    BaseModel.load = load

    def undo() -> None:
        BaseModel.load = original

    return undo


def seat(source: Any, target: BaseModel) -> Seated | None:
    """A view of `source` in which every row stands where `target` has it; None where stock loading does the same.

    Stock loading does the same for a target without blocks of ours, and for a source with the target's own rows.
    """
    new_yaml, old_yaml = getattr(target, "yaml", None), getattr(source, "yaml", None)
    if not isinstance(new_yaml, dict) or not names_ours(new_yaml) or not isinstance(old_yaml, dict):
        return None
    old_model = getattr(source, "model", None)
    if not isinstance(old_model, nn.Sequential):
        return None
    old_texts, new_texts = row_texts(old_yaml, {}), row_texts(new_yaml, {})
    if old_texts == new_texts or len(old_texts) != len(old_model):
        return None
    old = layers_of(old_model, row_texts(old_yaml, _STOCK))
    new = layers_of(target.model, row_texts(new_yaml, _STOCK))
    return Seated(source, old, new, align(old, new), new_texts)


class Seated:
    """A pretrained model as `BaseModel.load` reads one, with its rows where another model has them.

    Attributes:
        model: for every row of the target the module of its old row, None where there is none.
        old: what the source's rows hold.
        pairs: for every row of the target the number of its old row, None for a row that is new.
        texts: the target's rows.
    """

    def __init__(
        self, source: nn.Module, old: list[Layer], new: list[Layer], pairs: list[int | None], texts: list[str]
    ) -> None:
        self.source, self.old, self.pairs, self.texts = source, old, pairs, texts
        self.model = [None if i is None else source.model[i] for i in pairs]
        self._names = {
            f"model.{i}.{name}": f"model.{j}.{name}"
            for j, i in enumerate(pairs)
            if i is not None
            for name in homes(old[i], new[j])
        }
        self._state: dict[str, Tensor] = {}

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
