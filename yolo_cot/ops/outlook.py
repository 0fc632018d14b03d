"""Outlook attention (VOLO, arXiv 2106.13112, section 3.1) as a local mix: no unfold, no fold.

In the paper every window centre o predicts a k^2 x k^2 matrix A_o that mixes the values of its window, and the mixed
windows are added where they overlap. Collecting, for an output pixel q, everything that arrives from the pixel q + d,

    out[q] = sum over d of W_q[d] v[q + d],     W_q[d] = sum over (i, j) with o_j - o_i = d of A_{q - o_i}[i, j],

gives (2k - 1)^2 taps per pixel instead of k^4 products per window. With stride s the windows sit on every s-th pixel;
the s^2 phases of the output are then local mixes on the coarse grid, each with the taps that can reach it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from . import local_mix
from .local_mix import window_mix
from .outlook_merge import Axis, axes_of, merge, merge_eagerly, merge_gradient
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

    Arguments as for `outlook`; `overwrite` allows to overwrite the logits, for those who made them, need them no more
    and record no graph: done on a CPU, where memory that is taken anew costs time, in the backward pass too.
    """
    full = logits.dtype in (torch.float32, torch.float64)  # autocast takes the softmax of others in float32
    if overwrite and full and logits.device.type == "cpu" and not dropout:
        if torch.is_grad_enabled() and logits.requires_grad:
            return list(_TapsInPlace.apply(logits, num_heads, kernel_size, stride))
        return merge_eagerly(_softmax_in_place(logits, kernel_size), num_heads, kernel_size, stride)
    attention = attention_softmax(_stacked(logits, kernel_size))
    if dropout:
        attention = F.dropout(attention, dropout)
    return merge(attention.reshape(logits.shape), num_heads, kernel_size, stride)


def _stacked(logits: Tensor, k: int) -> Tensor:
    """The logits as (B, heads * k * k, k * k, H * W): the softmax runs over axis 2."""
    b, channels, h, w = logits.shape
    return logits.reshape(b, channels // k**2, k * k, h * w)


def _softmax_in_place(logits: Tensor, k: int) -> Tensor:
    """The attention (B, heads * k**4, H, W) in the memory of the logits, where that is contiguous."""
    stacked = _stacked(logits, k)
    return torch.softmax(stacked, 2, out=stacked).view(logits.shape)


class _TapsInPlace(torch.autograd.Function):
    """`taps_of`, with the attention in the memory of the logits and their gradient in that of the attention's."""

    @staticmethod
    def forward(ctx, logits: Tensor, heads: int, k: int, s: int):
        ctx.arguments = (heads, k, s)
        attention = _softmax_in_place(logits, k)
        ctx.save_for_backward(logits, attention)
        return tuple(merge_eagerly(attention, heads, k, s))

    @staticmethod
    def backward(ctx, *grads: Tensor):
        logits, attention = ctx.saved_tensors
        heads, k, s = ctx.arguments
        if torch.is_grad_enabled():  # `create_graph=True`
            return *_differentiable_gradient(logits, attention, grads, ctx.arguments), None, None, None
        grad, attention = _stacked(merge_gradient(list(grads), heads, k, s), k), _stacked(attention, k)
        torch.ops.aten._softmax_backward_data.out(grad, attention, 2, grad.dtype, grad_input=grad)
        return grad.view(logits.shape), None, None, None


def _differentiable_gradient(
    logits: Tensor, attention: Tensor, grads: tuple[Tensor, ...], arguments
) -> tuple[Tensor, ...]:
    """The gradient of overwritten logits, as a graph that has derivatives of every order.

    softmax(log(attention)) is the attention, and the logits were log(attention) and a constant, which no softmax sees:
    so log(attention), as a function whose derivative in the logits is 1, stands for them.
    """
    heads, k, s = arguments
    log = attention.detach().log()
    again = logits + (log - logits.detach())
    phases = merge(attention_softmax(_stacked(again, k)).reshape(again.shape), heads, k, s)
    made = [(p, g) for p, g in zip(phases, grads) if p.numel()]
    return torch.autograd.grad([p for p, _ in made], logits, [g for _, g in made], create_graph=True)


def mix_taps(v: Tensor, phases: list[Tensor], num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """Mix the values (B, C, H, W) by the taps that `taps_of` gives."""
    if stride == 1:
        return window_mix(v, phases[0].to(v.dtype), square(2 * kernel_size - 1))
    phases = [taps.to(v.dtype) for taps in phases]
    return _mix_phases(v, phases, num_heads, kernel_size, stride)


def memory_format(x: Tensor, num_heads: int, kernel_size: int = 3, stride: int = 1) -> torch.memory_format:
    """The memory format in which `mix_taps` takes values of the shape of `x` best; `preserve_format` for any.

    Where a graph is recorded it does not matter.
    """
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


def _mix_phases(v: Tensor, phases: list[Tensor], heads: int, k: int, s: int) -> Tensor:
    """Each phase of the output from the phases of the input, then the phases side by side again."""
    b, c, height, width = v.shape
    h, w = phases[0].shape[2:]
    padded = F.pad(v, (0, w * s - width, 0, h * s - height))
    inputs = {(y, x): padded[:, :, y::s, x::s] for y in range(s) for x in range(s)}
    rows_out = []
    axes = axes_of(k, s)
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


def _of_phase(axis: Axis, phase: int, s: int) -> list[int]:
    """Positions, among the offsets of `axis`, of those that read input pixels s * Y + phase."""
    return [n for n in range(axis.size) if (axis.first + n - phase) % s == 0]


def _select(taps: Tensor, heads: int, index: list[int]) -> Tensor:
    """The taps `index` of (B, heads * taps, h, w)."""
    b, _, h, w = taps.shape
    per_tap = taps.reshape(b, heads, -1, h * w)
    chosen = torch.cat([per_tap[:, :, n : n + 1] for n in index], 2)
    return chosen.reshape(b, heads * len(index), h, w)
