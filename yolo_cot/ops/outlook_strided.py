"""Outlook attention at any stride for exported graphs: the windows mixed as in the paper, without unfold and fold.

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

from .local_mix import cut
from .outlook import attention_softmax
from .outlook_merge import covering


def outlook_strided(
    v: Tensor, logits: Tensor, num_heads: int, kernel_size: int = 3, stride: int = 2, dropout: float = 0.0
) -> Tensor:
    """`outlook` for exported graphs; meant for strides above 1, where it takes some k**4 / s**2 products per pixel."""
    k, s, r = kernel_size, stride, kernel_size // 2
    b, c, height, width = v.shape
    h, w = logits.shape[2:]
    attention = attention_softmax(logits.reshape(b, num_heads * k * k, k * k, h * w))
    if dropout:
        attention = F.dropout(attention, dropout)
    entries = attention.reshape(b, num_heads, k**4, h * w).to(v.dtype).split(1, 2)
    padded = F.pad(v, (r, w * s - width + r, r, h * s - height + r))
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
    for y_sources in covering(k, s):
        row = []
        for x_sources in covering(k, s):
            parts = [_shifted(mixed[iy * k + ix], ty, tx) for iy, ty in y_sources for ix, tx in x_sources]
            phase = reduce(add, parts) if parts else torch.zeros_like(mixed[0])
            row.append(phase.reshape(b, c * h, w, 1))
        rows.append(torch.cat(row, 3).reshape(b, c * h, 1, w * s))
    return torch.cat(rows, 2).reshape(b, c, h * s, w * s)[:, :, :height, :width]


def _shifted(x: Tensor, down: int, right: int) -> Tensor:
    """The map whose pixel (Y, X) is that of `x` at (Y + down, X + right), 0 outside."""
    if not (down or right):
        return x
    p, q = abs(down), abs(right)
    return F.pad(x, (q, q, p, p))[:, :, cut(p + down, 2 * p), cut(q + right, 2 * q)]
