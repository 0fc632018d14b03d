"""Outlook attention at stride 1 by plain operations of rank 4 at most, for `torch.export` and for `torch.func`.

It is `taps` spelled out: slices whose ends are constants, so that height and width can stay dynamic. onnxruntime takes
a third longer for it than for the form for traced graphs.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from ..local_mix import exported, square
from ..local_mix.window import cut


def mix(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """Mix the values (B, C, H, W) by the attention (B, num_heads * k**4, H, W); for stride 1."""
    taps = collect(attention.to(v.dtype), num_heads, kernel_size)
    return exported.mix(v, taps, square(2 * kernel_size - 1))


def collect(attention: Tensor, num_heads: int, kernel_size: int) -> Tensor:
    """The taps of each pixel, (B, num_heads * (2k - 1)**2, H, W), of the windows' attention."""
    k, r, side = kernel_size, kernel_size // 2, 2 * kernel_size - 1
    b, _, h, w = attention.shape
    padded = F.pad(attention, (r, r, r, r)).reshape(b * num_heads, k**4, h + 2 * r, w + 2 * r)
    # Each block holds the k entries j_x of one (i_y, i_x, j_y), taken where the window's centre is.
    blocks = [
        block[:, :, cut(2 * r - n // k**2, 2 * r), cut(2 * r - n // k % k, 2 * r)]
        for n, block in enumerate(padded.split(k, 1))
    ]
    rows = []
    for dy in range(1 - k, k):
        terms = []
        for ix in range(k):
            column = [blocks[(iy * k + ix) * k + dy + iy] for iy in range(k) if 0 <= dy + iy < k]
            # These are the neighbours at d_x = j_x - i_x, of which there are 2k - 1.
            terms.append(F.pad(reduce(add, column), (0, 0, 0, 0, k - 1 - ix, ix)))
        rows.append(reduce(add, terms))
    return torch.cat(rows, 1).reshape(b, num_heads * side**2, h, w)
