"""Outlook attention in graphs that `torch.compile` records: the collecting of the taps as one operator."""

from __future__ import annotations

from torch import Tensor

from ..derivatives import operator
from . import taps


def _restore(num_heads: int, kernel_size: int) -> tuple[int, int]:
    return num_heads, kernel_size


def _taps_like(attention: Tensor, num_heads: int, kernel_size: int) -> Tensor:
    b, _, h, w = attention.shape
    return attention.new_empty(b, num_heads * (2 * kernel_size - 1) ** 2, h, w)


_collect = operator(taps.collect, 1, "Tensor attention, int num_heads, int kernel_size", _restore, _taps_like)


def mix(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """`taps.mix` inside a compiled graph; for stride 1."""
    return taps.mix_collected(v, _collect(attention, num_heads, kernel_size), kernel_size, "compiled")
