"""The local mix for traced and exported graphs: out of place, rank 4 at most, only Pad, Slice, Mul and Add.

The map is flattened: one copy per window column is shifted in x, and a shift in y is then an offset into contiguous
memory. Each window row is summed over the padded height before its y shift, so that slices of whole maps number
height + width, not height * width: a fifth faster in onnxruntime than a slice for each tap.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch.nn.functional as F
from torch import Tensor

from .window import Window, cut


def mix(v: Tensor, weight: Tensor, window: Window, interleaved: bool = False) -> Tensor:
    """Mix by plain operations, which have derivatives of every order and kind."""
    b, c, h, w = v.shape
    taps = window.taps
    groups = weight.shape[1] // taps
    left, right, top, bottom = window.padding
    tap_major = weight.reshape(b, groups, taps, h * w).transpose(1, 2).reshape(b, taps * groups, h * w)
    padded = F.pad(v, (left, right, top, bottom))
    rows = h + top + bottom
    lead, broadcast = ((c // groups, groups), (1, groups)) if interleaved else ((groups, c // groups), (groups, 1))
    shifted = [
        padded[:, :, :, cut(window.column(j), left + right)].reshape(b, *lead, rows * w) for j in range(window.width)
    ]
    size, sums = window.width * groups, []
    for i in range(window.height):
        # Weights of one window row, aligned with what they multiply: their first pixel reads row `above`.
        above = window.row(i)
        weights = F.pad(tap_major[:, i * size : (i + 1) * size], (above * w, (top + bottom - above) * w))
        products = [s * tap.reshape(b, *broadcast, rows * w) for s, tap in zip(shifted, weights.split(groups, 1))]
        sums.append(reduce(add, products).reshape(b, c, rows, w)[:, :, cut(above, top + bottom)])
    return reduce(add, sums)
