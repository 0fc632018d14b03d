"""Outlook attention (VOLO, arXiv 2106.13112, section 3.1) as a local mix: no unfold, no fold.

In the paper every window centre o predicts a k^2 x k^2 matrix A_o that mixes the values of its window, and the mixed
windows are added where they overlap. Collecting, for an output pixel q, everything that arrives from the pixel q + d,

    out[q] = sum over d of W_q[d] v[q + d],     W_q[d] = sum over (i, j) with o_j - o_i = d of A_{q - o_i}[i, j],

gives (2k - 1)^2 taps per pixel instead of k^4 products per window. With stride s the windows sit on every s-th pixel;
the s^2 phases of the output are then local mixes on the coarse grid, each with the taps that can reach it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from . import local_mix
from .local_mix import window_mix
from .tracing import compiling, recording
from .window import Window, square


def outlook(
    v: Tensor, logits: Tensor, num_heads: int, kernel_size: int = 3, stride: int = 1, dropout: float = 0.0
) -> Tensor:
    """Mix every window by its predicted attention and add the overlapping windows.

    Args:
        v: values, (B, C, H, W).
        logits: scaled attention logits (B, num_heads * k**4, ceil(H / s), ceil(W / s)), channels ordered (head, i, j):
            window position i is written as a mix, softmax over j, of the window positions j.
        num_heads: heads; head n owns the channels n * C / num_heads onwards.
        kernel_size: side k of the window, odd; windows are padded by k // 2.
        stride: distance s of the window centres.
        dropout: probability with which an attention entry is dropped (and the rest scaled up).

    Returns:
        (B, C, H, W).
    """
    return mix_taps(v, taps_of(logits, num_heads, kernel_size, stride, dropout), num_heads, kernel_size, stride)


def taps_of(
    logits: Tensor,
    num_heads: int,
    kernel_size: int,
    stride: int = 1,
    dropout: float = 0.0,
    overwrite: bool = False,
) -> list[Tensor]:
    """The taps W_q[d] of the module docstring from the logits: their softmax, collected by `merge`.

    Arguments as for `outlook`; `overwrite` allows to overwrite the logits, for use where no gradient is recorded.
    """
    k = kernel_size
    b, _, h, w = logits.shape
    stacked = logits.reshape(b, num_heads * k * k, k * k, h * w)
    full = logits.dtype in (torch.float32, torch.float64)  # autocast takes the softmax of others in float32
    attention = torch.softmax(stacked, 2, out=stacked) if overwrite and full else attention_softmax(stacked)
    if dropout:
        attention = F.dropout(attention, dropout)
    return merge(attention.reshape(b, num_heads * k**4, h, w), num_heads, k, stride)


def mix_taps(v: Tensor, phases: list[Tensor], num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """Mix the values (B, C, H, W) by the taps that `taps_of` gives."""
    phases = [taps.to(v.dtype) for taps in phases]
    if stride == 1:
        return window_mix(v, phases[0], square(2 * kernel_size - 1))
    return _mix_phases(v, phases, num_heads, kernel_size, stride)


def memory_format(x: Tensor, num_heads: int, kernel_size: int = 3, stride: int = 1) -> torch.memory_format:
    """The memory format in which `outlook` takes values of the shape of `x` best; `preserve_format` for any."""
    if stride > 1:
        return torch.preserve_format
    return local_mix.memory_format(x, num_heads, square(2 * kernel_size - 1))


def outlook_reference(
    v: Tensor, logits: Tensor, num_heads: int, kernel_size: int = 3, stride: int = 1, dropout: float = 0.0
) -> Tensor:
    """The published form, unfold - multiply - fold: the definition, and what the benchmark compares with."""
    k, s, p = kernel_size, stride, kernel_size // 2
    b, c, height, width = v.shape
    h, w = logits.shape[2:]
    windows = F.unfold(v, k, padding=p, stride=s).reshape(b, num_heads, c // num_heads, k * k, h * w)
    attention = logits.reshape(b, num_heads, k * k, k * k, h * w).permute(0, 1, 4, 2, 3).softmax(-1)
    attention = F.dropout(attention, dropout)
    mixed = (attention @ windows.permute(0, 1, 4, 3, 2)).permute(0, 1, 4, 3, 2).reshape(b, c * k * k, h * w)
    return F.fold(mixed, (height, width), k, padding=p, stride=s)


def attention_softmax(logits: Tensor) -> Tensor:
    """Softmax over axis 2, spelled out in recorded graphs, where runtimes are slow at an axis that is not the last."""
    if compiling() or not recording():
        return logits.softmax(2)
    shifted = (logits - logits.amax(2, keepdim=True)).exp()
    return shifted / shifted.sum(2, keepdim=True)


class _Axis(NamedTuple):
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


def _axes(k: int, s: int) -> tuple[_Axis, ...]:
    """Per phase, the windows that cover it: position i of the window at Y + t, for i - r + s t = phase."""
    r = k // 2
    axes = []
    for phase, pairs in enumerate(covering(k, s)):
        if not pairs:
            axes.append(_Axis(phase, 0, 0, ()))
            continue
        low = min(t for _, t in pairs)
        size = s * (max(t for _, t in pairs) - low) + k
        axes.append(_Axis(phase, s * low - r, size, tuple((i, t, s * (t - low)) for i, t in pairs)))
    return tuple(axes)


def merge(attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> list[Tensor]:
    """Collect window attention into the taps of each output pixel: W_q[d] of the module docstring.

    Args:
        attention: (B, num_heads * k**4, h, w), channels ordered (head, i, j).
        num_heads: heads.
        kernel_size: side k of the window.
        stride: distance s of the window centres.

    Returns:
        One tensor (B, num_heads * taps, h, w) for each of the s * s phases of the output, row-major; for stride 1
        the one with (2k - 1)**2 taps.
    """
    if compiling():
        from . import compiled

        return compiled.merge(attention, num_heads, kernel_size, stride)
    if recording():
        return _merge_recorded(attention, num_heads, kernel_size, stride)
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
    for rows in _axes(k, s):
        for columns in _axes(k, s):
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
    for rows in _axes(k, s):
        for columns in _axes(k, s):
            taps = attention.new_zeros(b, heads * rows.size * columns.size, h, w)
            for entry, block in _blocks(attention, taps, rows, columns, k):
                block += entry
            phases.append(taps)
    return phases


def merge_gradient(grads: list[Tensor], heads: int, k: int, s: int) -> Tensor:
    """The gradient of `merge_eagerly`, which reads the same blocks."""
    b, _, h, w = grads[0].shape
    grad = grads[0].new_zeros(b, heads * k**4, h, w)
    pairs = [(rows, columns) for rows in _axes(k, s) for columns in _axes(k, s)]
    for (rows, columns), taps in zip(pairs, grads):
        for entry, block in _blocks(grad, taps.contiguous(), rows, columns, k):
            entry.copy_(block)
    return grad


def merged_channels(heads: int, k: int, s: int) -> list[int]:
    """Channels of each tensor that `merge` returns."""
    return [heads * rows.size * columns.size for rows in _axes(k, s) for columns in _axes(k, s)]


def _blocks(entries: Tensor, taps: Tensor, rows: _Axis, columns: _Axis, k: int):
    """Yield views of the window attention at each position i and of the k x k taps that it is added to.

    `entries` is (B, heads * k**4, h, w), `taps` (B, heads * rows.size * columns.size, h, w), both contiguous. The views
    are made from strides that are worked out once: slicing so many axes takes longer than adding small maps.
    """
    b, channels, h, w = entries.shape
    heads = channels // k**4
    plane = h * w
    of_taps = (taps.stride(0), rows.size * columns.size * plane, columns.size * plane, plane, w, 1)
    of_entries = (entries.stride(0), k**4 * plane, k * plane, plane, w, 1)
    first, first_tap = entries.storage_offset(), taps.storage_offset()
    for height, width, entry, tap in _places(rows, columns, k, h, w):
        size = (b, heads, k, k, height, width)
        yield entries.as_strided(size, of_entries, first + entry), taps.as_strided(size, of_taps, first_tap + tap)


@lru_cache(maxsize=64)
def _places(rows: _Axis, columns: _Axis, k: int, h: int, w: int) -> list[tuple[int, int, int, int]]:
    """For each window position, height and width of what it adds to the taps, and where that and those taps start."""
    places = []
    for iy, ty, ey in rows.sources:
        out_y, in_y = _overlap(ty, h)
        for ix, tx, ex in columns.sources:
            out_x, in_x = _overlap(tx, w)
            entry = (((iy * k + ix) * k * k) * h + in_y.start) * w + in_x.start
            tap = ((ey * columns.size + ex) * h + out_y.start) * w + out_x.start
            places.append((out_y.stop - out_y.start, out_x.stop - out_x.start, entry, tap))
    return places


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Outputs Y and windows Y + shift that both lie inside a map of `size`."""
    low, high = max(0, -shift), max(0, min(size, size - shift), -shift)
    return slice(low, high), slice(low + shift, high + shift)


def _mix_phases(v: Tensor, phases: list[Tensor], heads: int, k: int, s: int) -> Tensor:
    """Each phase of the output from the phases of the input, then the phases side by side again."""
    b, c, height, width = v.shape
    h, w = phases[0].shape[2:]
    padded = F.pad(v, (0, w * s - width, 0, h * s - height))
    inputs = {(y, x): padded[:, :, y::s, x::s] for y in range(s) for x in range(s)}
    rows_out = []
    axes = _axes(k, s)
    for rows in axes:
        row = []
        for columns in axes:
            taps = phases[rows.phase * s + columns.phase]
            mixed = None
            for (y, x), source in inputs.items():
                mine = [_of_phase(rows, y, s), _of_phase(columns, x, s)]
                if not mine[0] or not mine[1]:
                    continue
                top, left = (rows.first + mine[0][0] - y) // s, (columns.first + mine[1][0] - x) // s
                index = [p * columns.size + q for p in mine[0] for q in mine[1]]
                weight = _select(taps, heads, index)
                part = window_mix(source, weight, Window(top, left, len(mine[0]), len(mine[1])))
                mixed = part if mixed is None else mixed + part
            row.append((mixed if mixed is not None else torch.zeros_like(inputs[0, 0])).reshape(b, c * h, w, 1))
        rows_out.append(torch.cat(row, 3).reshape(b, c * h, 1, w * s))
    return torch.cat(rows_out, 2).reshape(b, c, h * s, w * s)[:, :, :height, :width]


def _of_phase(axis: _Axis, phase: int, s: int) -> list[int]:
    """Positions, among the offsets of `axis`, of those that read input pixels s * Y + phase."""
    return [n for n in range(axis.size) if (axis.first + n - phase) % s == 0]


def _select(taps: Tensor, heads: int, index: list[int]) -> Tensor:
    """The taps `index` of (B, heads * taps, h, w)."""
    b, _, h, w = taps.shape
    per_tap = taps.reshape(b, heads, -1, h * w)
    chosen = torch.cat([per_tap[:, :, n : n + 1] for n in index], 2)
    return chosen.reshape(b, heads * len(index), h, w)
