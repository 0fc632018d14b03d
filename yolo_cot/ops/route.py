"""Which way a call goes, asked once by each operation that has more than one form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import torch
from torch.autograd import forward_ad

# eager: PyTorch runs operation by operation, and gradients may be written by hand.
# compiled: `torch.compile` records a graph for itself, in which operators of our own may stand.
# traced: `torch.jit.trace` records a graph, for TorchScript, ONNX, OpenVINO, NCNN and most other formats.
# exported: `torch.export` records a graph whose sizes may be dynamic.
# The last two have plain differentiable operations only, out of place and of rank 4 at most.
Route = Literal["eager", "compiled", "traced", "exported"]


def route() -> Route:
    """The way of the present call.

    The transforms of `torch.func` and forward-mode derivatives take the exported way too: plain operations have every
    kind of derivative. Before torch 2.7, which cannot tell compiling from exporting, compiling is taken for exporting.
    """
    if torch.compiler.is_compiling():
        exporting = getattr(torch.compiler, "is_exporting", None)
        return "exported" if exporting is None or exporting() or torch.jit.is_tracing() else "compiled"
    if torch._C._is_tracing():
        return "traced"
    return "exported" if _transformed() else "eager"


_FORMAT: ContextVar[str] = ContextVar("format", default="")


@contextmanager
def recorded_for(name: str) -> Iterator[None]:
    """Inside, traced graphs are for a format, as Ultralytics calls it."""
    before = _FORMAT.set(name)
    try:
        yield
    finally:
        _FORMAT.reset(before)


def target() -> Literal["onnx", "openvino", ""]:
    """What a traced graph is recorded for, if that has forms of its own; "" for what every exporter takes."""
    if torch.onnx.is_in_onnx_export():
        return "onnx"
    if torch.compiler.is_compiling() or not torch._C._is_tracing():
        return ""
    return "openvino" if _FORMAT.get() == "openvino" else ""


def _transformed() -> bool:
    """True inside a transform of `torch.func`, and where forward-mode derivatives are taken."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
