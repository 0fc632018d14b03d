"""Which way a call goes, asked once by each operation that has more than one form."""

from __future__ import annotations

from typing import Literal

import torch
from torch.autograd import forward_ad

# eager: PyTorch runs operation by operation, and gradients may be written by hand.
# compiled: `torch.compile` records a graph for itself, in which operators of our own may stand.
# exported: out of place, of rank 4 at most, of plain differentiable operations only, as exporters need it.
Route = Literal["eager", "compiled", "exported"]


def route() -> Route:
    """The way of the present call.

    The transforms of `torch.func` and forward-mode derivatives take the exported way too: plain operations have every
    kind of derivative. Before torch 2.7, which cannot tell compiling from exporting, compiling is taken for exporting.
    """
    if torch.compiler.is_compiling():
        exporting = getattr(torch.compiler, "is_exporting", None)
        return "exported" if exporting is None or exporting() or torch.jit.is_tracing() else "compiled"
    return "exported" if torch._C._is_tracing() or _transformed() else "eager"


def _transformed() -> bool:
    """True inside a transform of `torch.func`, and where forward-mode derivatives are taken."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
