"""The eager forms as operators that `torch.compile` records whole.

Spelled out, they are hundreds of nodes, which its code generator needs minutes for and makes no faster. Four operators,
`yolo_cot::mix`, `yolo_cot::mix_gradients`, `yolo_cot::merge` and `yolo_cot::merge_gradient`, hide them. They are
registered when a graph is first compiled, and never part of an exported one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import local_mix, outlook_merge
from .window import Window


def window_mix(v: Tensor, weight: Tensor, window: Window, *, interleaved: bool = False) -> Tensor:
    """`local_mix.window_mix` inside a compiled graph; the shapes must have been checked."""
    return _WindowMix.apply(v, weight, window, interleaved)


def merge(attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> list[Tensor]:
    """`outlook_merge.merge` inside a compiled graph."""
    return list(_Merge.apply(attention, num_heads, kernel_size, stride))


class _WindowMix(torch.autograd.Function):
    """The operator with its gradients; a compiled graph has no second derivatives."""

    @staticmethod
    def forward(ctx, v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
        ctx.save_for_backward(v, weight)
        ctx.window, ctx.interleaved = window, interleaved
        return torch.ops.yolo_cot.mix(v, weight, *window, interleaved)

    @staticmethod
    def backward(ctx, grad_out: Tensor):
        grads = torch.ops.yolo_cot.mix_gradients(grad_out, *ctx.saved_tensors, *ctx.window, ctx.interleaved)
        return *grads, None, None


class _Merge(torch.autograd.Function):
    """The operator with its gradient."""

    @staticmethod
    def forward(ctx, attention: Tensor, heads: int, k: int, s: int):
        ctx.arguments = (heads, k, s)
        return tuple(torch.ops.yolo_cot.merge(attention, heads, k, s))

    @staticmethod
    def backward(ctx, *grads: Tensor):
        return torch.ops.yolo_cot.merge_gradient(grads, *ctx.arguments), None, None, None


def _mix(v: Tensor, weight: Tensor, top: int, left: int, height: int, width: int, interleaved: bool) -> Tensor:
    return local_mix.mix_eagerly(v, weight, Window(top, left, height, width), interleaved).contiguous()


def _mix_gradients(
    grad: Tensor, v: Tensor, weight: Tensor, top: int, left: int, height: int, width: int, interleaved: bool
) -> tuple[Tensor, Tensor]:
    of_v, of_weight = local_mix.mix_gradients(grad, v, weight, Window(top, left, height, width), interleaved)
    return of_v.contiguous(), of_weight


def _like(tensor: Tensor) -> Tensor:
    """What a recorder needs to know of a result: shape, type and that it is contiguous."""
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _merged_like(attention: Tensor, heads: int, k: int, s: int) -> list[Tensor]:
    b, _, h, w = attention.shape
    return [attention.new_empty(b, channels, h, w) for channels in outlook_merge.merged_channels(heads, k, s)]


def _unmerged_like(grads: list[Tensor], heads: int, k: int, s: int) -> Tensor:
    b, _, h, w = grads[0].shape
    return grads[0].new_empty(b, heads * k**4, h, w)


_WINDOW = "int top, int left, int height, int width, bool interleaved"
# Name, schema, what it computes, what its results look like.
_OPERATORS = (
    (f"mix(Tensor v, Tensor weight, {_WINDOW}) -> Tensor", _mix, lambda v, *_: _like(v)),
    (
        f"mix_gradients(Tensor grad, Tensor v, Tensor weight, {_WINDOW}) -> (Tensor, Tensor)",
        _mix_gradients,
        lambda grad, v, weight, *_: (_like(v), _like(weight)),
    ),
    ("merge(Tensor attention, int heads, int k, int s) -> Tensor[]", outlook_merge.merge_eagerly, _merged_like),
    ("merge_gradient(Tensor[] grads, int heads, int k, int s) -> Tensor", outlook_merge.merge_gradient, _unmerged_like),
)
_library = torch.library.Library("yolo_cot", "FRAGMENT")
for _schema, _compute, _result in _OPERATORS:
    _name = _schema.partition("(")[0]
    _library.define(_schema)
    _library.impl(_name, _compute, "CompositeExplicitAutograd")
    _library.impl(_name, _result, "Meta")
