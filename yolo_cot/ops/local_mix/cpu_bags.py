"""The local mix on a CPU as embedding bags, for wide groups of neighbouring channels.

With the channels last, a map is a table with one row for each pixel and group, and each output pixel is a weighted sum
of rows: what `embedding_bag` computes, in registers and a row at a time, where one multiply-add per tap over the whole
map reads and writes the map for each. That is four to seven times faster; bringing the map into the table and back
costs a tenth of outlook attention. The gradient of the values is the same sum over the mirrored window.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ..derivatives import HandWritten
from .cpu import sum_type
from .exported import mix as plain
from .window import Window

# Channels of a group, that is the length of a row, from which this is the faster form: measured.
CHANNELS_PER_GROUP = 16
TYPES = (torch.float32, torch.bfloat16, torch.float16)  # all summed in float32


def fits(v: Tensor, groups: int, window: Window) -> bool:
    """Whether this is the faster form for values like `v`, for groups of neighbouring channels."""
    # Not for tensors of other classes, those without data among them: the indices made for one size are kept.
    plain = type(v) in (Tensor, torch.nn.Parameter) and v.device.type == "cpu" and v.dtype in TYPES and v.numel() > 0
    b, c, h, w = v.shape
    return plain and c >= CHANNELS_PER_GROUP * groups and b * h * w * groups * window.taps < 2**31


def _values(v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
    groups = weight.shape[1] // window.taps
    return _maps(_sum_rows(_table(v, groups), _bags(weight, window), window), v)


def _gradients(grad_out: Tensor, v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> tuple[Tensor, Tensor]:
    grad = _table(grad_out, weight.shape[1] // window.taps)
    grad_v = _maps(_sum_rows(grad, _mirrored(weight, window), window.mirrored), v)
    return grad_v, _weight_gradient(grad, v, weight, window)


def _weight_gradient(grad: Tensor, v: Tensor, weight: Tensor, window: Window) -> Tensor:
    b, channels, h, w = weight.shape
    groups = channels // window.taps
    grad_bags = _zero_outside_map(_dot_rows(grad, _table(v, groups), (b, h, w, groups), window), window)
    return _transposed(grad_bags.view(b, h * w, channels), weight.dtype).view(weight.shape)


def _mirrored(weight: Tensor, window: Window) -> Tensor:
    """For each pixel, as weights of a bag, those that the pixels in its mirrored window have for it."""
    b, channels, h, w = weight.shape
    bags = _bags(weight, window)
    mirrored = _for_batch(_mirrored_tap_index(h, w, channels // window.taps, window), b, bags[0].numel())
    return _zero_outside_map(bags.view(-1).index_select(0, mirrored).view_as(bags), window.mirrored)


def _table(maps: Tensor, groups: int) -> Tensor:
    """(B, C, H, W) maps as rows of one group's channels, (B * H * W * groups, C / groups)."""
    rows = maps.permute(0, 2, 3, 1)
    if not rows.is_contiguous():
        rows = _transposed(maps.flatten(2), sum_type(maps))
    return rows.reshape(-1, maps.shape[1] // groups).to(sum_type(maps))


def _maps(table: Tensor, v: Tensor) -> Tensor:
    """Such rows as maps of the shape, type and memory format of `v`."""
    b, c, h, w = v.shape
    if v.is_contiguous(memory_format=torch.channels_last) and not v.is_contiguous():
        return table.view(b, h, w, c).permute(0, 3, 1, 2).to(v.dtype)
    return _transposed(table.view(b, h * w, c), v.dtype).view(v.shape)


def _transposed(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, M, N) as new matrices (B, N, M); each by itself, for which PyTorch has a faster copy than for a batch."""
    b, m, n = matrices.shape
    out = matrices.new_empty(b, n, m, dtype=dtype)
    for target, source in zip(out, matrices):
        target.copy_(source.t())
    return out


def _bags(weight: Tensor, window: Window) -> Tensor:
    """The weights, bag by bag: (B, H, W, groups, taps), 0 where the tap lies outside the map."""
    b, _, h, w = weight.shape
    bags = _transposed(weight.flatten(2), sum_type(weight))
    return _zero_outside_map(bags.view(b, h, w, -1, window.taps), window)


def _zero_outside_map(bags: Tensor, window: Window) -> Tensor:
    """Set what belongs to taps outside the map to 0, in place."""
    b, h, w, groups, _ = bags.shape
    bags.view(b, -1).index_fill_(1, _outside(h, w, groups, window), 0)
    return bags


def _sum_rows(table: Tensor, bags: Tensor, window: Window) -> Tensor:
    """For each bag, the sum of its rows with its weights."""
    rows, starts = _indices(bags.shape[:4], window)
    weights = bags.view(-1)
    return F.embedding_bag(rows, table, starts, mode="sum", per_sample_weights=weights, include_last_offset=True)


def _dot_rows(grad: Tensor, table: Tensor, shape: tuple[int, ...], window: Window) -> Tensor:
    """For each row of each bag, its product with the gradient of the bag's sum: the gradient of its weight."""
    rows, starts = _indices(shape, window)
    bag = torch.arange(len(starts) - 1, dtype=torch.int32).repeat_interleave(window.taps)
    products = torch.ops.aten._embedding_bag_per_sample_weights_backward(grad, table, rows, starts, bag, 0)
    return products.view(*shape, window.taps)


def _indices(shape: tuple[int, ...], window: Window) -> tuple[Tensor, Tensor]:
    """The rows of (B, H, W, groups) bags, one bag after the other, and where each bag starts, with the end."""
    b, h, w, groups = shape
    return _for_batch(_rows(h, w, groups, window), b, h * w * groups), _starts(b * h * w * groups, window.taps)


def _for_batch(indices: Tensor, b: int, size: int) -> Tensor:
    """The indices for each image of a batch, whose tables of `size` rows follow each other."""
    if b == 1:
        return indices
    return (torch.arange(0, b * size, size, dtype=torch.int32)[:, None] + indices).view(-1)


def _neighbours(h: int, w: int, window: Window) -> tuple[Tensor, Tensor]:
    """The row and the column that each row and column of the window reads: (H, height) and (W, width)."""
    y = torch.arange(h)[:, None] + torch.arange(window.top, window.top + window.height)
    x = torch.arange(w)[:, None] + torch.arange(window.left, window.left + window.width)
    return y, x


# Indices for one image depend on the size of the map only. Sizes repeat from image to image: one for each level.
_kept = lru_cache(maxsize=8)


@_kept
@torch.inference_mode(False)
def _rows(h: int, w: int, groups: int, window: Window) -> Tensor:
    """The rows of one image's bags; for taps outside the map, of the nearest pixel."""
    y, x = _neighbours(h, w, window)
    pixel = y.clamp(0, h - 1)[:, None, :, None] * w + x.clamp(0, w - 1)[None, :, None, :]
    rows = pixel.view(h * w, 1, -1) * groups + torch.arange(groups)[None, :, None]
    return rows.flatten().to(torch.int32)


@_kept
@torch.inference_mode(False)
def _starts(bags: int, taps: int) -> Tensor:
    """Where each of as many bags starts, with the end of the last."""
    return torch.arange(0, bags * taps + 1, taps, dtype=torch.int32)


@_kept
@torch.inference_mode(False)
def _mirrored_tap_index(h: int, w: int, groups: int, window: Window) -> Tensor:
    """For each tap of each pixel's mirrored window, where that neighbour keeps its weight for this pixel."""
    taps = window.taps
    rows = _rows(h, w, groups, window.mirrored).view(-1, taps)
    return (rows * taps + torch.arange(taps - 1, -1, -1, dtype=torch.int32)).flatten()


@_kept
@torch.inference_mode(False)
def _outside(h: int, w: int, groups: int, window: Window) -> Tensor:
    """Which weights of one image, bag by bag, belong to taps outside the map."""
    y, x = _neighbours(h, w, window)
    off = ((y < 0) | (y >= h))[:, None, None, :, None] | ((x < 0) | (x >= w))[None, :, None, None, :]
    return off.expand(-1, -1, groups, -1, -1).flatten().nonzero().flatten()


mix = HandWritten("mix_cpu_bags", _values, _gradients, plain)
