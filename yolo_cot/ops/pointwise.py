"""1x1 convolution as matrix products, of one map or of several that need not be put side by side.

    out[b, o] = sum over parts p and their channels c of weight[o, p, c] * part_p[b, c] + bias[o]

On a CPU one matrix product for each image and part, written straight into the output, is faster than the library's
convolution, which first brings weights and maps into an order of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .tracing import recording


def pointwise(parts: Sequence[Tensor], weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """1x1 convolution of `parts` side by side.

    Args:
        parts: maps (B, C_p, H, W).
        weight: (c2, sum of C_p, 1, 1).
        bias: (c2,) or None.

    Returns:
        (B, c2, H, W). Values, gradients and second derivatives are those of `conv2d` of the parts, put side by side,
        which it is where that is faster: on a GPU, in half precision, channels last, and in recorded graphs.
    """
    if not _as_products(parts, weight):
        return F.conv2d(parts[0] if len(parts) == 1 else torch.cat(tuple(parts), 1), weight, bias)
    if torch.is_grad_enabled():
        return _Pointwise.apply(weight, bias, *parts)
    return _products(parts, weight, bias)


def _as_products(parts: Sequence[Tensor], weight: Tensor) -> bool:
    """Whether matrix products are the faster form, and give the same type and memory format."""
    if recording() or _autocast():
        return False
    fits = weight.dtype in (torch.float32, torch.float64) and weight.device.type == "cpu"
    return fits and all(p.dtype == weight.dtype and p.numel() and p[0].is_contiguous() for p in parts)


def _autocast() -> bool:
    try:
        return torch.is_autocast_enabled("cpu")
    except TypeError:  # torch before 2.4
        return torch.is_autocast_cpu_enabled()


def _shares(parts: Sequence[Tensor], weight: Tensor) -> tuple[Tensor, ...]:
    """The columns of the weight that belong to each part."""
    if len(parts) == 1:
        return (weight.flatten(1),)
    return weight.flatten(1).split([p.shape[1] for p in parts], 1)


def _products(parts: Sequence[Tensor], weight: Tensor, bias: Tensor | None) -> Tensor:
    """One product for each part, added up in the output."""
    b, _, h, w = parts[0].shape
    out = parts[0].new_empty(b, weight.shape[0], h * w)
    start = None if bias is None else bias[:, None]
    for share, part in zip(_shares(parts, weight), parts):
        _product(out, start, share, part.flatten(2))
        start = out
    return out.view(b, -1, h, w)


def _product(out: Tensor, start: Tensor | None, rows: Tensor, columns: Tensor) -> None:
    """Write start + rows @ columns, for each image, to `out`; one image by the product that libraries split best."""
    if len(out) == 1:
        start = start[0] if start is out else start
        if start is None:
            torch.mm(rows, columns[0], out=out[0])
        else:
            torch.addmm(start, rows, columns[0], out=out[0])
    elif start is None:
        torch.bmm(rows.expand(len(out), -1, -1), columns, out=out)
    else:
        torch.baddbmm(start, rows.expand(len(out), -1, -1), columns, out=out)


def add_pointwise(total: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Add a 1x1 convolution of `x` to `total`, in place where that is possible; use only what is returned.

    Args:
        total: (B, c2, H, W), which is overwritten.
        x: (B, c1, H, W).
        weight: (c2, c1, 1, 1).
    """
    if torch.is_grad_enabled() or not _as_products((x, total), weight):
        return total + F.conv2d(x, weight)
    sums = total.flatten(2)
    _product(sums, sums, weight.flatten(1), x.flatten(2))
    return total


class _Pointwise(torch.autograd.Function):
    """The products with their gradients; saves what a convolution saves."""

    @staticmethod
    def forward(ctx, weight: Tensor, bias: Tensor | None, *parts: Tensor) -> Tensor:
        ctx.save_for_backward(weight, *parts)
        return _products(parts, weight, bias)

    @staticmethod
    def backward(ctx, grad: Tensor):
        weight, *parts = ctx.saved_tensors
        of_weight, of_bias, *of_parts = ctx.needs_input_grad
        sum_of = grad.sum((0, 2, 3)) if of_bias else None
        if torch.is_grad_enabled():  # `create_graph=True`: plain products, which have derivatives of every order
            g = grad.flatten(2)
            found = [
                torch.matmul(share.t(), g).view_as(p) if wanted else None
                for share, p, wanted in zip(_shares(parts, weight), parts, of_parts)
            ]
            by_part = [torch.einsum("bop,bcp->oc", g, p.flatten(2)) for p in parts] if of_weight else []
            return torch.cat(by_part, 1).view_as(weight) if of_weight else None, sum_of, *found
        grad = grad.contiguous()
        found = [
            _products([grad], share.t(), None) if wanted else None
            for share, wanted in zip(_shares(parts, weight), of_parts)
        ]
        return _weight_gradient(grad, parts, weight) if of_weight else None, sum_of, *found


def _weight_gradient(grad: Tensor, parts: Sequence[Tensor], weight: Tensor) -> Tensor:
    """Gradient times map, transposed, for each part's columns; summed image by image, to hold one sum only."""
    out = torch.zeros_like(weight, memory_format=torch.contiguous_format)
    for columns, part in zip(_shares(parts, out), parts):
        for g, image in zip(grad.flatten(2), part.flatten(2)):
            columns.addmm_(g, image.t())
    return out
