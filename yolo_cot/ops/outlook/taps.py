"""Outlook attention at stride 1 as a local mix: the windows' attention is collected into taps, one for each neighbour.

A window at o weighs its position j for its position i; for the pixel at position i that is a weight for the neighbour
at o_j - o_i. Weights for one neighbour that come from several windows are added. It multiplies 25 times per value at
k = 3 where the definition multiplies 81 times, and holds a quarter of its memory in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from ..derivatives import HandWritten
from ..local_mix import square, window_mix
from ..route import Route
from .exported import collect as plain


def mix(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """Mix the values (B, C, H, W) by the attention (B, num_heads * k**4, H, W); for stride 1."""
    return mix_collected(v, collect(attention, num_heads, kernel_size), kernel_size, "eager")


def mix_collected(v: Tensor, taps: Tensor, kernel_size: int, way: Route) -> Tensor:
    """Mix the values by the taps that `collect` gives."""
    return window_mix(v, taps.to(v.dtype), square(2 * kernel_size - 1), way=way)


def _values(attention: Tensor, heads: int, k: int) -> Tensor:
    """One addition of a k x k block of taps per window position."""
    b, _, h, w = attention.shape
    taps = attention.new_zeros(b, heads * (2 * k - 1) ** 2, h, w)
    for entry, block in _blocks(attention.contiguous(), taps, k):
        block += entry
    return taps


def _gradients(grad: Tensor, attention: Tensor, heads: int, k: int) -> tuple[Tensor]:
    """The gradient of the attention, which reads the same blocks."""
    grad_attention = torch.zeros_like(attention, memory_format=torch.contiguous_format)
    for entry, block in _blocks(grad_attention, grad.contiguous(), k):
        entry.copy_(block)
    return (grad_attention,)


def _blocks(entries: Tensor, taps: Tensor, k: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield views of the window attention at each position i and of the k x k taps that it is added to.

    `entries` is (B, heads * k**4, h, w), `taps` (B, heads * (2k - 1)**2, h, w), both contiguous. The views are made
    from strides that are worked out once: slicing so many axes takes longer than adding small maps.
    """
    b, channels, h, w = entries.shape
    heads, side, plane = channels // k**4, 2 * k - 1, h * w
    tap_strides = (taps.stride(0), side**2 * plane, side * plane, plane, w, 1)
    entry_strides = (entries.stride(0), k**4 * plane, k * plane, plane, w, 1)
    for height, width, entry, tap in _places(k, h, w):
        size = (b, heads, k, k, height, width)
        yield (
            entries.as_strided(size, entry_strides, entries.storage_offset() + entry),
            taps.as_strided(size, tap_strides, taps.storage_offset() + tap),
        )


@lru_cache(maxsize=64)
def _places(k: int, h: int, w: int) -> list[tuple[int, int, int, int]]:
    """For each window position: height and width of what it adds to the taps, and where that and those taps start."""
    side, places = 2 * k - 1, []
    for iy, (out_y, in_y, height) in enumerate(_overlap(k // 2 - i, h) for i in range(k)):
        for ix, (out_x, in_x, width) in enumerate(_overlap(k // 2 - i, w) for i in range(k)):
            entry = (((iy * k + ix) * k * k) * h + in_y) * w + in_x
            # Position i lies k // 2 - i from the centre of its window, whose taps then start at k - 1 - i.
            tap = (((k - 1 - iy) * side + k - 1 - ix) * h + out_y) * w + out_x
            places.append((height, width, entry, tap))
    return places


def _overlap(shift: int, size: int) -> tuple[int, int, int]:
    """The first output Y, the first window Y + shift, and how many of both lie inside a map of `size`."""
    count = max(0, size - abs(shift))
    return (min(max(0, -shift), size - count), min(max(0, shift), size - count), count)


collect = HandWritten("collect_taps", _values, _gradients, plain)
