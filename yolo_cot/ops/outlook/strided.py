"""Outlook attention with strides above 1, on every route: the windows mixed as in the paper, without unfold and fold.

At stride s the windows' centres form a map of 1 / s**2 of the pixels, and so does every position of the windows. Mixing
them entry by entry takes k**4 products of such maps, one node each. No slice has a step, which some runtimes ignore
without a word, and no tensor has more than four axes.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from ..local_mix.window import cut


def mix(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 2) -> Tensor:
    """Mix the values (B, C, H, W) by the attention (B, num_heads * k**4, h, w) of every s-th pixel."""
    k, s, r = kernel_size, stride, kernel_size // 2
    b, c, height, width = v.shape
    h, w = attention.shape[2:]
    entries = attention.reshape(b, num_heads, k**4, h * w).to(v.dtype).split(1, 2)
    padded = F.pad(v, (r, r, r, r))
    windows = [
        # A pooling of one pixel picks every s-th.
        F.max_pool2d(padded[:, :, cut(y, 2 * r), cut(x, 2 * r)], 1, s).reshape(b, num_heads, c // num_heads, h * w)
        for y in range(k)
        for x in range(k)
    ]
    mixed = [
        reduce(add, [entries[i * k * k + j] * window for j, window in enumerate(windows)]).reshape(b, c, h, w)
        for i in range(k * k)
    ]
    rows = []
    for y_sources in _covering(k, s):
        row = []
        for x_sources in _covering(k, s):
            parts = [_shifted(mixed[iy * k + ix], ty, tx) for iy, ty in y_sources for ix, tx in x_sources]
            phase = reduce(add, parts) if parts else torch.zeros_like(mixed[0])
            row.append(phase.reshape(b, c * h, w, 1))
        rows.append(torch.cat(row, 3).reshape(b, c * h, 1, w * s))
    return torch.cat(rows, 2).reshape(b, c, h * s, w * s)[:, :, :height, :width]


def _covering(k: int, s: int) -> list[list[tuple[int, int]]]:
    """Along one axis, for each phase of the output: the positions i and the shifts t of the windows that cover it.

    Position i of the window at Y + t is the pixel s * Y + phase: i - k // 2 + s * t = phase.
    """
    return [[(i, (p + k // 2 - i) // s) for i in range(k) if (p + k // 2 - i) % s == 0] for p in range(s)]


def _shifted(x: Tensor, down: int, right: int) -> Tensor:
    """The map whose pixel (Y, X) is that of `x` at (Y + down, X + right), 0 outside."""
    if not (down or right):
        return x
    p, q = abs(down), abs(right)
    return F.pad(x, (q, q, p, p))[:, :, cut(p + down, 2 * p), cut(q + right, 2 * q)]
