"""The local mix on a CPU, and wherever no faster form fits: multiply-adds into one buffer over the flattened map.

It works image by image and window column by window column, so that the working set stays in the cache, and makes
nothing larger than a few copies of one image's map: 2 to 4 times faster than unfolding the windows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..derivatives import HandWritten
from .exported import mix as plain
from .window import Window


def sum_type(tensor: Tensor) -> torch.dtype:
    """The type in which values like these are summed."""
    return torch.float32 if tensor.dtype in (torch.float16, torch.bfloat16) else tensor.dtype


def _values(v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
    out = torch.empty(v.shape, dtype=sum_type(v), device=v.device)
    for n in range(v.shape[0]):
        image = _Image(v[n], weight[n], window, interleaved)
        flat = out[n].view(image.grouped)
        for j in range(window.width):
            shifted = image.column(j)
            for i in range(window.height):
                if i == j == 0:
                    torch.mul(image.rows(shifted, i), image.tap(i, j), out=flat)
                else:
                    flat.addcmul_(image.rows(shifted, i), image.tap(i, j))
    return out.to(v.dtype)


def _gradients(grad_out: Tensor, v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> tuple[Tensor, Tensor]:
    grad_v = torch.empty(v.shape, dtype=sum_type(v), device=v.device)
    grad_weight = torch.empty(weight.shape, dtype=sum_type(v), device=v.device)
    left, right, top, bottom = window.padding
    c, h, w = v.shape[1:]
    for n in range(v.shape[0]):
        image = _Image(v[n], weight[n], window, interleaved)
        g = grad_out[n].to(grad_v.dtype).contiguous().view(image.grouped)
        product = torch.empty_like(g)
        grad_taps = grad_weight[n].view(image.taps.shape)
        grad_padded = g.new_zeros(c, h + top + bottom, w + left + right)
        for j in range(window.width):
            shifted = image.column(j)
            grad_shifted = torch.zeros_like(shifted)
            for i in range(window.height):
                torch.mul(g, image.rows(shifted, i), out=product)
                torch.sum(product, image.axis, out=grad_taps[:, i * window.width + j])
                image.rows(grad_shifted, i).addcmul_(g, image.tap(i, j))
            start = window.column(j)
            grad_padded[:, :, start : start + w] += grad_shifted.view(c, -1, w)
        grad_v[n] = grad_padded[:, top : top + h, left : left + w]
    return grad_v.to(v.dtype), grad_weight.to(weight.dtype)


class _Image:
    """One image's padded values and its taps: channels by group, pixels flattened."""

    def __init__(self, v: Tensor, weight: Tensor, window: Window, interleaved: bool):
        c, self.h, self.w = v.shape
        groups = weight.shape[0] // window.taps
        dtype = sum_type(v)
        self.lead = (c // groups, groups) if interleaved else (groups, c // groups)
        self.grouped = (*self.lead, self.h * self.w)
        self.axis = 0 if interleaved else 1  # the axis of a group's channels, over which its taps are shared
        self.window = window
        self.padded = F.pad(v.to(dtype), window.padding)
        self.taps = weight.to(dtype).reshape(groups, window.taps, self.h * self.w)

    def column(self, j: int) -> Tensor:
        """The values that the window's column `j` reads: shifted in x, so that a shift in y is a flat offset."""
        start = self.window.column(j)
        height = self.padded.shape[1]
        return self.padded[:, :, start : start + self.w].reshape(*self.lead, height * self.w)

    def rows(self, shifted: Tensor, i: int) -> Tensor:
        """What the window's row `i` reads of such a copy, as a view."""
        offset = self.window.row(i) * self.w
        return shifted[..., offset : offset + self.h * self.w]

    def tap(self, i: int, j: int) -> Tensor:
        """Weights of row `i`, column `j` of every pixel's window, ready to broadcast over the group's channels."""
        return self.taps[:, i * self.window.width + j].unsqueeze(self.axis)


mix = HandWritten("mix_cpu", _values, _gradients, plain)
