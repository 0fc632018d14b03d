"""Measure the rows of a built model by running it: output shape, parameters, floating-point operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import thop
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class RowSize:
    """One row of a model.

    Attributes:
        channels: of its output, None if that is no single feature map.
        stride: pixels of the image per pixel of its output, None likewise.
        parameters: how many it has.
        gflops: 1e9 floating-point operations (two per multiply-add) for one image.
    """

    channels: int | None
    stride: float | None
    parameters: int
    gflops: float


@torch.no_grad()
def row_sizes(model: nn.Module, imgsz: int = 640, ch: int = 3) -> list[RowSize]:
    """Run a model once on an empty image and count each row by Ultralytics' own counter, from the inputs that it got.

    Args:
        model: an Ultralytics model, on any device; it is left as it was.
        imgsz: height and width of the image in pixels.
        ch: channels of the image.
    """
    rows = list(model.model.children())  # type: ignore[union-attr]
    inputs: dict[int, tuple[Any, ...]] = {}
    outputs: dict[int, Any] = {}
    handles = []
    for i, row in enumerate(rows):
        handles.append(row.register_forward_pre_hook(lambda _, args, i=i: inputs.update({i: _copied(args)})))
        handles.append(row.register_forward_hook(lambda _, args, out, i=i: outputs.update({i: out})))
    training = model.training
    try:
        model.eval()
        model(torch.zeros(1, ch, imgsz, imgsz, device=next(model.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
        model.train(training)
    found = []
    for i, row in enumerate(rows):
        out = outputs[i]
        is_map = isinstance(out, Tensor) and out.ndim == 4 and i < len(rows) - 1
        macs = thop.profile(row, inputs=_copied(inputs[i]), verbose=False)[0]
        found.append(
            RowSize(
                out.shape[1] if is_map else None,
                imgsz / out.shape[-1] if is_map else None,
                sum(p.numel() for p in row.parameters()),
                macs * 2 / 1e9,
            )
        )
    return found


def without_memory(model: nn.Module) -> nn.Module:
    """Move a model to the meta device, where only shapes are computed: as fast for large images as for small ones."""
    head: Any = model.model[-1]  # type: ignore[index]
    stride = getattr(head, "stride", None)
    model.to("meta")
    if isinstance(stride, torch.Tensor):
        head.stride = stride.tolist()  # a head reads these numbers
    return model


def _copied(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Lists of levels anew, for heads write their results into them."""
    return tuple(list(a) if isinstance(a, list) else a for a in args)
