"""1x1 convolution as matrix products, of one map or of several that need not be put side by side.

    out[b, o] = sum over parts p and their channels c of weight[o, p, c] * part_p[b, c] + bias[o]

On a CPU one matrix product for each image and part, written straight into the output, is faster than the library's
convolution, which first brings weights and maps into an order of its own. The maps may have their channels first or
last, and so may the output, whatever the maps have: a matrix product takes and writes either at the same price.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .tracing import recording


def pointwise(
    parts: Sequence[Tensor],
    weight: Tensor,
    bias: Tensor | None = None,
    memory_format: torch.memory_format = torch.preserve_format,
) -> Tensor:
    """1x1 convolution of `parts` side by side.

    Args:
        parts: maps (B, C_p, H, W).
        weight: (c2, sum of C_p, 1, 1).
        bias: (c2,) or None.
        memory_format: the output's, `contiguous_format` or `channels_last`; what `conv2d` would give if not told.

    Returns:
        (B, c2, H, W). Values, gradients and second derivatives are those of `conv2d` of the parts, put side by side,
        which it is where that is faster: on a GPU, in half precision, in recorded graphs, and for maps with their
        channels last of which another memory format is not asked.
    """
    if not _as_products(parts, weight, memory_format):
        y = F.conv2d(parts[0] if len(parts) == 1 else torch.cat(tuple(parts), 1), weight, bias)
        return y if memory_format == torch.preserve_format else y.contiguous(memory_format=memory_format)
    last = memory_format == torch.channels_last
    if torch.is_grad_enabled():
        return _Pointwise.apply(last, weight, bias, *parts)
    return _products(parts, weight, bias, last)


def memory_format_of(x: Tensor) -> torch.memory_format:
    """The memory format in which what a block computes from `x` should be, as `pointwise` takes it.

    Where a graph is recorded it does not matter: there, `pointwise` must be given `preserve_format`.
    """
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def _as_products(
    parts: Sequence[Tensor], weight: Tensor, memory_format: torch.memory_format = torch.preserve_format
) -> bool:
    """Whether matrix products are the faster form, and give the same type and memory format."""
    dtype = weight.dtype
    if dtype not in (torch.float32, torch.float64) or weight.device.type != "cpu" or recording() or autocast():
        return False
    told = memory_format != torch.preserve_format
    for p in parts:
        first = p.is_contiguous() or p[0].is_contiguous()
        if p.dtype != dtype or not p.numel() or not (first or (told and _channels_last(p))):
            return False
    return True


def _channels_last(x: Tensor) -> bool:
    return x.permute(0, 2, 3, 1)[0].is_contiguous()


def autocast() -> bool:
    """Whether autocast is on for the CPU."""
    try:
        return torch.is_autocast_enabled("cpu")
    except TypeError:  # torch before 2.4
        return torch.is_autocast_cpu_enabled()


def _shares(parts: Sequence[Tensor], weight: Tensor) -> tuple[Tensor, ...]:
    """The columns of the weight that belong to each part."""
    if len(parts) == 1:
        return (weight.flatten(1),)
    return weight.flatten(1).split([p.shape[1] for p in parts], 1)


def _matrices(x: Tensor, form: tuple[int, ...]) -> Tensor:
    """Maps, contiguous or channels last, as a view (*form, C, H * W); `form` is (B,), or () of one image."""
    if x.is_contiguous() or x[0].is_contiguous():
        return x.view(*form, x.shape[1], -1)
    return x.permute(0, 2, 3, 1).view(*form, -1, x.shape[1]).mT


def _products(parts: Sequence[Tensor], weight: Tensor, bias: Tensor | None, last: bool) -> Tensor:
    """One product for each part, added up in the output, which has its channels last or first."""
    b, _, h, w = parts[0].shape
    c2 = weight.shape[0]
    form = () if b == 1 else (b,)
    start = bias
    if last:
        like = parts[0]
        maps = torch.empty((b, c2, h, w), dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
        out = maps.permute(0, 2, 3, 1).view(*form, h * w, c2)
        for share, part in zip(_shares(parts, weight), parts):
            _product(out, start, _matrices(part, form).mT, share.t())
            start = out
        return maps
    maps = parts[0].new_empty((b, c2, h, w))
    out = maps.view(*form, c2, h * w)
    start = None if bias is None else bias[:, None]
    for share, part in zip(_shares(parts, weight), parts):
        _product(out, start, share, _matrices(part, form))
        start = out
    return maps


def _product(out: Tensor, start: Tensor | None, left: Tensor, right: Tensor) -> None:
    """Write start + left @ right, for each image, to `out`; one image by the product that libraries split best."""
    if out.dim() == 2:
        if start is None:
            torch.mm(left, right, out=out)
        else:
            torch.addmm(start, left, right, out=out)
        return
    left, right = (t.expand(len(out), -1, -1) if t.dim() == 2 else t for t in (left, right))
    if start is None:
        torch.bmm(left, right, out=out)
    else:
        torch.baddbmm(start, left, right, out=out)


def products(pairs: Sequence[tuple[Tensor, Tensor]], start: Tensor | None = None, overwrite: bool = False) -> Tensor:
    """Return start + sum of matrix @ map, (B, c2, H, W); records nothing, for functions with a backward of their own.

    Args:
        pairs: matrices (c2, C_p), and contiguous maps (B, C_p, H, W).
        start: contiguous (B, c2, H, W), or None for zeros.
        overwrite: whether the sum is formed in the memory of `start`.
    """
    matrix, like = pairs[0]
    b, _, h, w = like.shape
    form = () if b == 1 else (b,)
    out = start if overwrite and start is not None else like.new_empty((b, len(matrix), h, w))
    flat = out.view(*form, len(matrix), h * w)
    total = None if start is None else start.view(flat.shape)
    for matrix, part in pairs:
        _product(flat, total, matrix, part.view(*form, -1, h * w))
        total = flat
    return out


def add_pointwise(total: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Add a 1x1 convolution of `x` to `total`, in place where that is possible; use only what is returned.

    Args:
        total: (B, c2, H, W), which is overwritten.
        x: (B, c1, H, W).
        weight: (c2, c1, 1, 1).
    """
    if torch.is_grad_enabled() or not _as_products((x, total), weight):
        return total + F.conv2d(x, weight)
    form = () if len(x) == 1 else (len(x),)
    sums = total.view(*form, total.shape[1], -1)
    _product(sums, sums, weight.flatten(1), _matrices(x, form))
    return total


class _Pointwise(torch.autograd.Function):
    """The products with their gradients; saves what a convolution saves."""

    @staticmethod
    def forward(ctx, last: bool, weight: Tensor, bias: Tensor | None, *parts: Tensor) -> Tensor:
        ctx.save_for_backward(weight, *parts)
        return _products(parts, weight, bias, last)

    @staticmethod
    def backward(ctx, grad: Tensor):
        weight, *parts = ctx.saved_tensors
        _, of_weight, of_bias, *of_parts = ctx.needs_input_grad
        sum_of = grad.sum((0, 2, 3)) if of_bias else None
        if torch.is_grad_enabled():  # `create_graph=True`: plain products, which have derivatives of every order
            g = grad.flatten(2)
            with torch.autocast("cpu", enabled=False):
                found = [
                    torch.matmul(share.t(), g).view_as(p) if wanted else None
                    for share, p, wanted in zip(_shares(parts, weight), parts, of_parts)
                ]
                by_part = [torch.einsum("bop,bcp->oc", g, p.flatten(2)) for p in parts] if of_weight else []
            return None, torch.cat(by_part, 1).view_as(weight) if of_weight else None, sum_of, *found
        if not _channels_last(grad):
            grad = grad.contiguous()
        found = [
            _products([grad], share.t(), None, not p[0].is_contiguous()) if wanted else None
            for share, p, wanted in zip(_shares(parts, weight), parts, of_parts)
        ]
        return None, weight_gradient(grad, parts, weight) if of_weight else None, sum_of, *found


def weight_gradient(grad: Tensor, parts: Sequence[Tensor], weight: Tensor) -> Tensor:
    """Gradient of the weight (c2, sum of C_p, 1, 1) from that of the output and the parts, all contiguous.

    Gradient times map, transposed, for each part's columns; summed image by image, to hold one sum only.
    """
    out = torch.empty_like(weight, memory_format=torch.contiguous_format)
    for columns, part in zip(_shares(parts, out), parts):
        batch = (len(part),)
        for n, (g, image) in enumerate(zip(_matrices(grad, batch), _matrices(part, batch))):
            columns.addmm_(g, image.t(), beta=min(n, 1))
    return out
