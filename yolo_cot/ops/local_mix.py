"""Local mix: every pixel sums its k x k neighbours with weights of its own, shared by groups of channels.

    out[b, c, y, x] = sum over (i, j) of weight[b, g(c), (i, j), y, x] * v[b, c, y + i - r, x + j - r],   r = k // 2

with zeros outside the map. It is the aggregation of the Contextual Transformer block (CoTNet, arXiv 2107.12292,
"local matrix multiplication") and, with (2k - 1) x (2k - 1) taps, outlook attention (VOLO, arXiv 2106.13112).
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from . import local_mix_bags
from .tracing import compiling, recording
from .window import Window, square


def local_mix(v: Tensor, weight: Tensor, kernel_size: int, *, interleaved: bool = False) -> Tensor:
    """Sum the k x k neighbours of every pixel with that pixel's own weights.

    Args:
        v: values, (B, C, H, W).
        weight: (B, G * k * k, H, W), group-major; C must be a multiple of G.
        kernel_size: side k of the window, odd.
        interleaved: channel c belongs to group c % G (CoTNet) instead of c // (C / G) (attention heads).

    Returns:
        (B, C, H, W) in the dtype of `v`, and channels last if `v` is. Half precisions are summed in float32.

    Raises:
        ValueError: if shapes, kernel or groups do not fit.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"local_mix needs an odd kernel_size; got {kernel_size}. Use {kernel_size + 1}.")
    return window_mix(v, weight, square(kernel_size), interleaved=interleaved)


def window_mix(v: Tensor, weight: Tensor, window: Window, *, interleaved: bool = False) -> Tensor:
    """`local_mix` for any rectangle of neighbours; `weight` is (B, G * window.taps, H, W)."""
    recorded = recording()
    if recorded and not compiling():
        return window_mix_recorded(v, weight, window, interleaved=interleaved)
    _check(v, weight, window)
    if v.is_cuda:
        from . import local_mix_triton

        if local_mix_triton.available():
            return local_mix_triton.window_mix(v, weight, window, interleaved=interleaved)
    if recorded:
        from . import compiled

        return compiled.window_mix(v, weight, window, interleaved=interleaved)
    if not torch.is_grad_enabled():
        return mix_eagerly(v, weight, window, interleaved)
    return _WindowMix.apply(v, weight, window, interleaved)


def memory_format(v: Tensor, groups: int, window: Window) -> torch.memory_format:
    """The memory format in which `window_mix` is fastest for values like `v`; `preserve_format` if it does not matter.

    `groups` are of neighbouring channels. Where a graph is recorded it does not matter.
    """
    return torch.channels_last if local_mix_bags.fits(v, groups, window) else torch.preserve_format


def _check(v: Tensor, weight: Tensor, window: Window) -> None:
    taps, of_v, of_weight = window.taps, v.shape, weight.shape
    if len(of_v) != 4 or len(of_weight) != 4:
        raise ValueError(f"local_mix needs v and weight of 4 axes; got {tuple(v.shape)} and {tuple(weight.shape)}.")
    if of_v[0] != of_weight[0] or of_v[2:] != of_weight[2:] or of_weight[1] % taps:
        raise ValueError(
            f"local_mix needs weight (B, groups * {taps}, H, W) for v {tuple(v.shape)}; got {tuple(weight.shape)}."
        )
    groups = of_weight[1] // taps
    if not groups or of_v[1] % groups:
        raise ValueError(
            f"local_mix needs channels divisible by groups; got {v.shape[1]} channels and {groups} groups. "
            f"Change one of them."
        )


def local_mix_reference(v: Tensor, weight: Tensor, kernel_size: int, *, interleaved: bool = False) -> Tensor:
    """The definition, tap by tap: one shifted copy of `v` and one product per tap. Any dtype, differentiable twice."""
    b, c, h, w = v.shape
    k, r = kernel_size, kernel_size // 2
    groups = weight.shape[1] // k**2
    per_tap = weight.reshape(b, groups, k * k, h, w)
    padded = F.pad(v, (r, r, r, r))
    out = torch.zeros_like(v)
    for i in range(k):
        for j in range(k):
            tap = per_tap[:, :, i * k + j]
            spread = tap.repeat(1, c // groups, 1, 1) if interleaved else tap.repeat_interleave(c // groups, 1)
            out = out + spread * padded[:, :, i : i + h, j : j + w]
    return out


def window_mix_recorded(v: Tensor, weight: Tensor, window: Window, *, interleaved: bool = False) -> Tensor:
    """The form for recorded graphs: out of place, rank 4 at most, only Pad, Slice, Mul and Add."""
    b, _, h, w = v.shape
    taps = window.taps
    groups = weight.shape[1] // taps
    tap_major = weight.reshape(b, groups, taps, h * w).transpose(1, 2).reshape(b, taps * groups, h * w)
    size, rows = window.width * groups, []
    for i in range(window.height):
        before, after = window.row(i) * w, (window.padding[2] + window.padding[3] - window.row(i)) * w
        rows.append(F.pad(tap_major[:, i * size : (i + 1) * size], (before, after)))
    return mix_rows(v, rows, groups, window, interleaved=interleaved)


def mix_rows(v: Tensor, rows: list[Tensor], groups: int, window: Window, *, interleaved: bool = False) -> Tensor:
    """The recorded form for weights given by window row, aligned with what they multiply.

    `rows[i]` is (B, window.width * groups, padded rows * W), tap-major: its row p holds the weights of the pixel whose
    window row `i` reads row p of the padded map; rows that no pixel reads hold anything finite.

    The map is flattened: one copy per window column is shifted in x, and a shift in y is then an offset into
    contiguous memory. Each window row is summed over the padded height before its y shift, so that slices of whole
    maps number height + width, not height * width.
    """
    b, c, h, w = v.shape
    left, right, top, bottom = window.padding
    length = (h + top + bottom) * w
    padded = F.pad(v, (left, right, top, bottom))
    lead, broadcast = ((c // groups, groups), (1, groups)) if interleaved else ((groups, c // groups), (groups, 1))
    shifted = [
        padded[:, :, :, cut(window.column(j), left + right)].reshape(b, *lead, length) for j in range(window.width)
    ]
    sums = []
    for i, weights in enumerate(rows):
        products = [s * tap.reshape(b, *broadcast, length) for s, tap in zip(shifted, weights.split(groups, 1))]
        row = reduce(add, products).reshape(b, c, h + top + bottom, w)
        sums.append(row[:, :, cut(window.row(i), top + bottom)])
    return reduce(add, sums)


def cut(start: int, surplus: int) -> slice:
    """What stays of an axis that is `surplus` too long, from `start` on.

    Both ends are constants whatever the size of the map, which keeps recorded graphs free of arithmetic on shapes.
    """
    return slice(start, start - surplus or None)


class _WindowMix(torch.autograd.Function):
    """The eager form with its gradients; saves only `v` and `weight`."""

    @staticmethod
    def forward(ctx, v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
        ctx.save_for_backward(v, weight)
        ctx.window, ctx.interleaved = window, interleaved
        return mix_eagerly(v, weight, window, interleaved)

    @staticmethod
    def backward(ctx, grad_out: Tensor):
        v, weight = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *differentiable_gradients(v, weight, ctx.window, ctx.interleaved, grad_out), None, None
        return *mix_gradients(grad_out, v, weight, ctx.window, ctx.interleaved), None, None


def mix_eagerly(v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
    """The eager form, without gradients: multiply-adds into one buffer over the flattened map.

    Works image by image and window column by window column, so that the working set stays in the cache, and makes
    nothing larger than a few copies of one image's map. Wide groups are mixed as embedding bags instead.
    """
    if _in_bags(v, weight, window, interleaved):
        return local_mix_bags.mix(v, weight, window)
    out = torch.empty(v.shape, dtype=_accumulator(v), device=v.device)
    for n in range(v.shape[0]):
        image = _Image(v[n], weight[n], window, interleaved)
        flat = out[n].view(image.grouped)
        for j in range(window.width):
            shifted = image.column(j)
            for i in range(window.height):
                if i == j == 0:
                    torch.mul(image.rows(shifted, i), image.tap(i, j), out=flat)
                else:
                    flat.addcmul_(image.rows(shifted, i), image.tap(i, j))
    return out.to(v.dtype)


def _in_bags(v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> bool:
    return not interleaved and local_mix_bags.fits(v, weight.shape[1] // window.taps, window)


def mix_gradients(
    grad_out: Tensor, v: Tensor, weight: Tensor, window: Window, interleaved: bool
) -> tuple[Tensor, Tensor]:
    """The gradients of `v` and `weight`, written by hand, in the way of `mix_eagerly`."""
    if _in_bags(v, weight, window, interleaved):
        return local_mix_bags.mix_gradients(grad_out, v, weight, window)
    grad_v = torch.empty(v.shape, dtype=_accumulator(v), device=v.device)
    grad_weight = torch.empty(weight.shape, dtype=_accumulator(v), device=v.device)
    left, right, top, bottom = window.padding
    c, h, w = v.shape[1:]
    for n in range(v.shape[0]):
        image = _Image(v[n], weight[n], window, interleaved)
        g = grad_out[n].to(grad_v.dtype).contiguous().view(image.grouped)
        product = torch.empty_like(g)
        grad_taps = grad_weight[n].view(image.taps.shape)
        grad_padded = g.new_zeros(c, h + top + bottom, w + left + right)
        for j in range(window.width):
            shifted = image.column(j)
            grad_shifted = torch.zeros_like(shifted)
            for i in range(window.height):
                torch.mul(g, image.rows(shifted, i), out=product)
                torch.sum(product, image.axis, out=grad_taps[:, i * window.width + j])
                image.rows(grad_shifted, i).addcmul_(g, image.tap(i, j))
            start = window.column(j)
            grad_padded[:, :, start : start + w] += grad_shifted.view(c, -1, w)
        grad_v[n] = grad_padded[:, top : top + h, left : left + w]
    return grad_v.to(v.dtype), grad_weight.to(weight.dtype)


def differentiable_gradients(
    v: Tensor, weight: Tensor, window: Window, interleaved: bool, grad_out: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of v and weight as a graph of their own, for `create_graph=True`: all derivatives are right.

    Uses the recorded form, which is made of differentiable operations; slower, and None for what needs no gradient.
    """
    wanted = [t for t in (v, weight) if t.requires_grad]
    with torch.enable_grad():
        out = window_mix_recorded(v, weight, window, interleaved=interleaved)
        found = iter(torch.autograd.grad(out, wanted, grad_out, create_graph=True))
    return tuple(next(found) if t.requires_grad else None for t in (v, weight))  # type: ignore[return-value]


def _accumulator(v: Tensor) -> torch.dtype:
    return torch.float32 if v.dtype in (torch.float16, torch.bfloat16) else v.dtype


class _Image:
    """One image's padded values and its taps, in the layout of the eager form: channels by group, pixels flattened."""

    def __init__(self, v: Tensor, weight: Tensor, window: Window, interleaved: bool):
        c, self.h, self.w = v.shape
        groups = weight.shape[0] // window.taps
        dtype = _accumulator(v)
        self.lead = (c // groups, groups) if interleaved else (groups, c // groups)
        self.grouped = (*self.lead, self.h * self.w)
        self.axis = 0 if interleaved else 1  # the axis of a group's channels, over which its taps are shared
        self.window = window
        self.padded = F.pad(v.to(dtype), window.padding)
        self.taps = weight.to(dtype).reshape(groups, -1, self.h * self.w)

    def column(self, j: int) -> Tensor:
        """The values that the window's column `j` reads: shifted in x, so that a shift in y is a flat offset."""
        start = self.window.column(j)
        return self.padded[:, :, start : start + self.w].reshape(*self.lead, -1)

    def rows(self, shifted: Tensor, i: int) -> Tensor:
        """What the window's row `i` reads of such a copy, as a view."""
        offset = self.window.row(i) * self.w
        return shifted[..., offset : offset + self.h * self.w]

    def tap(self, i: int, j: int) -> Tensor:
        """Weights of row `i`, column `j` of every pixel's window, ready to broadcast over the group's channels."""
        return self.taps[:, i * self.window.width + j].unsqueeze(self.axis)
