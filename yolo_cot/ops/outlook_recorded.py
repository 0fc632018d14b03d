"""Outlook attention at stride 1 for recorded graphs: few nodes, rank 4 at most, sizes that exporters can follow.

The same sums as in `outlook`, with the windows merged along x first and along y second. For that the channels of the
logits stand in an order of their own, which costs nothing when the weights that make them are put into it.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from .local_mix import cut, mix_rows, square
from .outlook import attention_softmax


def recorded_order(num_heads: int, kernel_size: int) -> list[int]:
    """Where `outlook_recorded` wants which channel of the logits: entry n is the (head, i, j) index of channel n.

    Its order is (i_x, j_x, j_y, i_y, head): the softmax then runs over one axis, what is added is contiguous, and both
    directions are merged one after the other. The permutation belongs into the weights that make the logits.
    """
    k = kernel_size
    return [
        ((n * k + iy) * k + ix) * k * k + jy * k + jx
        for ix in range(k)
        for jx in range(k)
        for jy in range(k)
        for iy in range(k)
        for n in range(num_heads)
    ]


def outlook_recorded(v: Tensor, logits: Tensor, num_heads: int, kernel_size: int, dropout: float = 0.0) -> Tensor:
    """`outlook` at stride 1 for recorded graphs; the logits' channels are in `recorded_order`.

    Merges the windows along x, then along y: 2 k^2 slices and additions instead of k^4.
    """
    k, r = kernel_size, kernel_size // 2
    b, _, h, w = v.shape
    attention = attention_softmax(logits.reshape(b, k, k * k, k * num_heads * h * w))
    if dropout:
        attention = F.dropout(attention, dropout)
    # 3 r rows above and below: the taps then come out aligned with the rows of the values that they multiply.
    padded = F.pad(attention.reshape(b, k**4 * num_heads, h, w).to(v.dtype), (r, r, 3 * r, 3 * r))
    size = k * k * num_heads
    columns: list[list[Tensor]] = [[] for _ in range(2 * k - 1)]
    for ix in range(k):
        for jx in range(k):
            first, x = (ix * k + jx) * size, 2 * r - ix
            columns[jx - ix + k - 1].append(padded[:, first : first + size, :, cut(x, 2 * r)])
    # (d_x, j_y, i_y, head) -> (j_y, i_y, d_x, head)
    height = h + 6 * r
    stacked = torch.cat([reduce(add, terms) for terms in columns], 1)
    stacked = stacked.reshape(b, 2 * k - 1, k * k, num_heads * height * w).transpose(1, 2)
    stacked = stacked.reshape(b, k * k * (2 * k - 1) * num_heads, height, w)
    size = (2 * k - 1) * num_heads
    rows: list[list[Tensor]] = [[] for _ in range(2 * k - 1)]
    for jy in range(k):
        for iy in range(k):
            first = (jy * k + iy) * size
            rows[jy - iy + k - 1].append(stacked[:, first : first + size, cut(2 * r - jy, 2 * r)])
    taps = [reduce(add, terms).reshape(b, size, (h + 4 * r) * w) for terms in rows]
    return mix_rows(v, taps, num_heads, square(2 * k - 1))
