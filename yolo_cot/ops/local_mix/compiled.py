"""The local mix in graphs that `torch.compile` records: each hand-written form as one operator, with its gradients."""

from __future__ import annotations

from torch import Tensor

from ..derivatives import contiguous_like, operator
from .cpu import mix as cpu
from .cpu_bags import mix as cpu_bags
from .cuda import mix as cuda
from .window import Window


def _restore(window: list[int], interleaved: bool) -> tuple[Window, bool]:
    return Window(*window), interleaved


_SCHEMA = "Tensor v, Tensor weight, int[] window, bool interleaved"
_OPERATORS = {
    form.name: operator(form, 2, _SCHEMA, _restore, lambda v, *_: contiguous_like(v)) for form in (cpu, cpu_bags, cuda)
}


def mix(form: str, v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
    """Mix by the operator of the form of that name."""
    return _OPERATORS[form](v, weight, list(window), interleaved)
