"""Outlook attention with strides above 1, on every route: the windows as one batched matrix product, rank 4 at most.

At stride s the windows' centres are 1 / s**2 of the pixels, so that the windows, side by side, are only k**2 / s**2
times as large as the map. A product and an addition for each of the k**4 entries takes two to four times as long, in
PyTorch and in onnxruntime. No slice has a step, which some runtimes ignore without a word.
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
    windows = _gathered(v, num_heads, kernel_size, stride)
    return _mixed(windows, v, attention, num_heads, kernel_size, stride)


def mix_sliced(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 2) -> Tensor:
    """The same for graphs in which a runtime may know no gathering by indices, as NCNN."""
    windows = _sliced(v, num_heads, kernel_size, stride)
    return _mixed(windows, v, attention, num_heads, kernel_size, stride)


def _mixed(windows: Tensor, v: Tensor, attention: Tensor, heads: int, k: int, s: int) -> Tensor:
    """Mix the windows (B * heads, h * w, k * k, d) and add them where they overlap."""
    b, c, height, width = v.shape
    h, w = attention.shape[2:]
    n, d = b * heads, c // heads
    matrices = attention.to(v.dtype).reshape(n, k**4, h * w).transpose(1, 2).reshape(n, h * w, k * k, k * k)
    mixed = torch.matmul(matrices, windows).reshape(n, h, w, k * k * d).split(d, 3)
    rows = []
    for y_sources in _covering(k, s):
        row = []
        for x_sources in _covering(k, s):
            parts = [_shifted(mixed[iy * k + ix], ty, tx) for iy, ty in y_sources for ix, tx in x_sources]
            row.append(reduce(add, parts) if parts else torch.zeros_like(mixed[0]))
        rows.append(torch.cat(row, 3).reshape(n, h, w * s * d))
    out = torch.cat(rows, 2).reshape(n, h * s, w * s, d)[:, :height, :width]
    return out.reshape(n, height * width, d).transpose(1, 2).reshape(b, c, height, width)


def _gathered(v: Tensor, heads: int, k: int, s: int) -> Tensor:
    """The values of each window, each pixel from its place."""
    b, c, height, width = v.shape
    n, d, r = b * heads, c // heads, k // 2
    last = v.reshape(n, d, height * width).transpose(1, 2).reshape(n, height, width, d)
    pixels = F.pad(last, (0, 0, r, r, r, r)).reshape(n, (height + 2 * r) * (width + 2 * r), d)
    y = torch.arange(0, height, s, dtype=torch.int32, device=v.device).view(-1, 1, 1, 1)
    x = torch.arange(0, width, s, dtype=torch.int32, device=v.device).view(-1, 1, 1)
    i = torch.arange(k, dtype=torch.int32, device=v.device)
    places = (y + i.view(-1, 1)) * (width + 2 * r) + x + i
    return pixels.index_select(1, places.flatten()).reshape(n, places.shape[0] * places.shape[1], k * k, d)


def _sliced(v: Tensor, heads: int, k: int, s: int) -> Tensor:
    """The same by slices and by poolings of one pixel, which pick every s-th."""
    b, c, _, _ = v.shape
    n, d, r = b * heads, c // heads, k // 2
    padded = F.pad(v, (r, r, r, r))
    picked = [
        F.max_pool2d(padded[:, :, cut(y, 2 * r), cut(x, 2 * r)], 1, s).reshape(n, 1, d, -1)
        for y in range(k)
        for x in range(k)
    ]
    return torch.cat(picked, 1).reshape(n, k * k * d, -1).transpose(1, 2).reshape(n, -1, k * k, d)


def _covering(k: int, s: int) -> list[list[tuple[int, int]]]:
    """Along one axis, for each phase of the output: the positions i and the shifts t of the windows that cover it.

    Position i of the window at Y + t is the pixel s * Y + phase: i - k // 2 + s * t = phase.
    """
    return [[(i, (p + k // 2 - i) // s) for i in range(k) if (p + k // 2 - i) % s == 0] for p in range(s)]


def _shifted(x: Tensor, down: int, right: int) -> Tensor:
    """The map (N, h, w, d) whose pixel (Y, X) is that of `x` at (Y + down, X + right), 0 outside."""
    if not (down or right):
        return x
    p, q = abs(down), abs(right)
    return F.pad(x, (0, 0, q, q, p, p))[:, cut(p + down, 2 * p), cut(q + right, 2 * q)]
