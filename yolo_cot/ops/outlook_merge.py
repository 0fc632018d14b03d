"""The window attention of outlook attention, collected into taps: for each output pixel, one weight per neighbour.

A window at o weighs its position j for its position i; for the pixel at position i that is a weight for the neighbour
at o_j - o_i. Weights for one neighbour that come from several windows are added.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .tracing import compiling, recording


class Axis(NamedTuple):
    """Along one axis: what reaches the outputs of phase `phase`, that is the pixels s * Y + phase."""

    phase: int
    first: int  # lowest offset, from s * Y, of a pixel that is read
    size: int  # number of offsets
    sources: tuple[tuple[int, int, int], ...]  # (position i, shift t of the window centre, first of its k taps)


def covering(k: int, s: int) -> list[list[tuple[int, int]]]:
    """Along one axis, for each phase of the output: the positions i and the shifts t of the windows that cover it.

    Position i of the window at Y + t is the pixel s * Y + phase: i - k // 2 + s * t = phase.
    """
    return [[(i, (p + k // 2 - i) // s) for i in range(k) if (p + k // 2 - i) % s == 0] for p in range(s)]


def axes_of(k: int, s: int) -> tuple[Axis, ...]:
    """Per phase, the windows that cover it: position i of the window at Y + t, for i - r + s t = phase."""
    r = k // 2
    axes = []
    for phase, pairs in enumerate(covering(k, s)):
        if not pairs:
            axes.append(Axis(phase, 0, 0, ()))
            continue
        low = min(t for _, t in pairs)
        size = s * (max(t for _, t in pairs) - low) + k
        axes.append(Axis(phase, s * low - r, size, tuple((i, t, s * (t - low)) for i, t in pairs)))
    return tuple(axes)


def merge(attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> list[Tensor]:
    """Collect window attention into the taps of each output pixel: W_q[d] of the module `outlook`.

    Args:
        attention: (B, num_heads * k**4, h, w), channels ordered (head, i, j).
        num_heads: heads.
        kernel_size: side k of the window.
        stride: distance s of the window centres.

    Returns:
        One tensor (B, num_heads * taps, h, w) for each of the s * s phases of the output, row-major; for stride 1
        the one with (2k - 1)**2 taps.
    """
    if recording():
        if not compiling():
            return _merge_recorded(attention, num_heads, kernel_size, stride)
        from . import compiled

        return compiled.merge(attention, num_heads, kernel_size, stride)
    if not torch.is_grad_enabled():
        return merge_eagerly(attention, num_heads, kernel_size, stride)
    return list(_Merge.apply(attention, num_heads, kernel_size, stride))


def _merge_recorded(attention: Tensor, heads: int, k: int, s: int) -> list[Tensor]:
    """The form for recorded graphs: a slice and an addition for each of the k^4 entries, rank 4 throughout."""
    b, _, h, w = attention.shape
    reach = (k // 2 + s - 1) // s
    padded = F.pad(attention, (reach, reach, reach, reach))
    span = (h + 2 * reach) * (w + 2 * reach)
    entries = padded.reshape(b, heads, k**4, span)
    phases = []
    for rows in axes_of(k, s):
        for columns in axes_of(k, s):
            taps: dict[tuple[int, int], Tensor] = {}
            for iy, ty, ey in rows.sources:
                for ix, tx, ex in columns.sources:
                    for jy in range(k):
                        for jx in range(k):
                            n = ((iy * k + ix) * k + jy) * k + jx
                            entry = entries[:, :, n : n + 1].reshape(b, heads, h + 2 * reach, w + 2 * reach)
                            y, x = reach + ty, reach + tx
                            entry = entry[:, :, y : y + h, x : x + w].reshape(b, heads, 1, h * w)
                            at = (ey + jy, ex + jx)
                            taps[at] = taps[at] + entry if at in taps else entry
            ordered = [taps[y, x] for y in range(rows.size) for x in range(columns.size)]
            phases.append(torch.cat(ordered, 2).reshape(b, -1, h, w) if ordered else attention[:, :0])
    return phases


class _Merge(torch.autograd.Function):
    """The eager form with its gradient."""

    @staticmethod
    def forward(ctx, attention: Tensor, heads: int, k: int, s: int):
        ctx.shape, ctx.arguments = attention.shape, (heads, k, s)
        return tuple(merge_eagerly(attention, heads, k, s))

    @staticmethod
    def backward(ctx, *grads: Tensor):
        heads, k, s = ctx.arguments
        if torch.is_grad_enabled():  # `create_graph=True`: the recorded form has derivatives of every order
            at = grads[0].new_zeros(ctx.shape, requires_grad=True)
            made = [(p, g) for p, g in zip(_merge_recorded(at, heads, k, s), grads) if p.numel()]
            phases, seeds = zip(*made)
            return *torch.autograd.grad(phases, at, seeds, create_graph=True), None, None, None
        return merge_gradient(list(grads), heads, k, s), None, None, None


def merge_eagerly(attention: Tensor, heads: int, k: int, s: int) -> list[Tensor]:
    """The eager form of `merge`, without gradients: one addition of a k x k block of taps per window position."""
    b, _, h, w = attention.shape
    attention = attention.contiguous()
    phases = []
    for phase in _phases(k, s, h, w):
        taps = attention.new_zeros(b, heads * phase.rows * phase.columns, h, w)
        for entry, block in _blocks(attention, taps, phase, k):
            block += entry
        phases.append(taps)
    return phases


def merge_gradient(grads: list[Tensor], heads: int, k: int, s: int) -> Tensor:
    """The gradient of `merge_eagerly`, which reads the same blocks."""
    b, _, h, w = grads[0].shape
    grad = grads[0].new_zeros(b, heads * k**4, h, w)
    for phase, taps in zip(_phases(k, s, h, w), grads):
        for entry, block in _blocks(grad, taps.contiguous(), phase, k):
            entry.copy_(block)
    return grad


def merged_channels(heads: int, k: int, s: int) -> list[int]:
    """Channels of each tensor that `merge` returns."""
    return [heads * rows.size * columns.size for rows in axes_of(k, s) for columns in axes_of(k, s)]


class _Phase(NamedTuple):
    """What reaches one phase of the outputs."""

    rows: int  # of its taps
    columns: int
    # For each window position, height and width of what it adds to the taps, and where that and those taps start.
    places: list[tuple[int, int, int, int]]


@lru_cache(maxsize=64)
def _phases(k: int, s: int, h: int, w: int) -> list[_Phase]:
    """All phases of maps of one size, row-major."""
    axes = axes_of(k, s)
    return [_Phase(y.size, x.size, _places(y, x, k, h, w)) for y in axes for x in axes]


def _places(rows: Axis, columns: Axis, k: int, h: int, w: int) -> list[tuple[int, int, int, int]]:
    places = []
    for iy, ty, ey in rows.sources:
        out_y, in_y = _overlap(ty, h)
        for ix, tx, ex in columns.sources:
            out_x, in_x = _overlap(tx, w)
            entry = (((iy * k + ix) * k * k) * h + in_y.start) * w + in_x.start
            tap = ((ey * columns.size + ex) * h + out_y.start) * w + out_x.start
            places.append((out_y.stop - out_y.start, out_x.stop - out_x.start, entry, tap))
    return places


def _blocks(entries: Tensor, taps: Tensor, phase: _Phase, k: int):
    """Yield views of the window attention at each position i and of the k x k taps that it is added to.

    `entries` is (B, heads * k**4, h, w), `taps` (B, heads * phase.rows * phase.columns, h, w), both contiguous. The
    views are made from strides that are worked out once: slicing so many axes takes longer than adding small maps.
    """
    b, channels, h, w = entries.shape
    heads = channels // k**4
    plane = h * w
    of_taps = (taps.stride(0), phase.rows * phase.columns * plane, phase.columns * plane, plane, w, 1)
    of_entries = (entries.stride(0), k**4 * plane, k * plane, plane, w, 1)
    first, first_tap = entries.storage_offset(), taps.storage_offset()
    for height, width, entry, tap in phase.places:
        size = (b, heads, k, k, height, width)
        yield entries.as_strided(size, of_entries, first + entry), taps.as_strided(size, of_taps, first_tap + tap)


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Outputs Y and windows Y + shift that both lie inside a map of `size`."""
    low, high = max(0, -shift), max(0, min(size, size - shift), -shift)
    return slice(low, high), slice(low + shift, high + shift)
