"""The definition of the local mix, tap by tap: one shifted copy of the values and one product for each tap."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .window import Window


def mix(v: Tensor, weight: Tensor, window: Window, interleaved: bool = False) -> Tensor:
    """Add up the products; any dtype, differentiable to every order."""
    b, c, h, w = v.shape
    groups = weight.shape[1] // window.taps
    per_tap = weight.reshape(b, groups, window.taps, h, w)
    padded = F.pad(v, window.padding)
    out = torch.zeros_like(v)
    for i in range(window.height):
        for j in range(window.width):
            tap = per_tap[:, :, i * window.width + j]
            spread = tap.repeat(1, c // groups, 1, 1) if interleaved else tap.repeat_interleave(c // groups, 1)
            y, x = window.row(i), window.column(j)
            out = out + spread * padded[:, :, y : y + h, x : x + w]
    return out
