"""Operations whose gradients are written by hand, with derivatives of every order and a place in compiled graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class HandWritten:
    """An operation of tensors, and settings behind them, that gives one tensor; called like a function.

    Args:
        name: what the operation is called in compiled graphs.
        values: computes the result; records nothing.
        gradients: computes the gradients of all tensors from that of the result, (gradient, *arguments) -> a tuple.
        plain: the same operation from PyTorch's own differentiable ones; it is used for second derivatives.
    """

    def __init__(
        self,
        name: str,
        values: Callable[..., Tensor],
        gradients: Callable[..., tuple[Tensor, ...]],
        plain: Callable[..., Tensor],
    ):
        self.name, self.values, self.gradients, self.plain = name, values, gradients, plain

    def __call__(self, *arguments: Any) -> Tensor:
        """Compute the result, and record how to differentiate it where gradients are enabled."""
        return _Recorded.apply(self, *arguments) if torch.is_grad_enabled() else self.values(*arguments)


class _Recorded(torch.autograd.Function):
    """A hand-written operation in the graph of autograd; it saves its tensors and nothing else."""

    @staticmethod
    def forward(ctx, operation: HandWritten, *arguments: Any) -> Tensor:
        tensors = [a for a in arguments if isinstance(a, Tensor)]
        ctx.save_for_backward(*tensors)
        ctx.operation, ctx.settings = operation, arguments[len(tensors) :]
        return operation.values(*arguments)

    @staticmethod
    def backward(ctx, grad: Tensor):
        tensors = ctx.saved_tensors
        if torch.is_grad_enabled():  # `create_graph=True`
            wanted = ctx.needs_input_grad[1 : 1 + len(tensors)]
            found = _differentiable(ctx.operation.plain, tensors, ctx.settings, wanted, grad)
        else:
            found = ctx.operation.gradients(grad, *tensors, *ctx.settings)
        return None, *found, *[None] * len(ctx.settings)


def _differentiable(plain: Callable[..., Tensor], tensors, settings, wanted, grad: Tensor) -> list[Tensor | None]:
    """The gradients of `plain` as a graph of their own, which can be differentiated again.

    They are taken at views of the tensors, for one tensor may have been computed from another.
    """
    views = [t.view_as(t) for t in tensors]
    leaves = [view for view, needed in zip(views, wanted) if needed]
    found = iter(torch.autograd.grad(plain(*views, *settings), leaves, grad, create_graph=True))
    return [next(found) if needed else None for needed in wanted]


def operator(
    operation: HandWritten, tensors: int, schema: str, restore: Callable[..., tuple], like: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """Register a hand-written operation and its gradients as operators, each of which is one node of a compiled graph.

    Spelled out, they are hundreds of nodes, which the code generator needs minutes for and makes no faster. A compiled
    graph has no second derivatives.

    Args:
        operation: what is registered, as `yolo_cot::<name>` and `yolo_cot::<name>_gradients`.
        tensors: how many of its arguments are tensors.
        schema: its arguments, as `torch.library` writes them.
        restore: makes the operation's settings of those that the schema can hold.
        like: makes an empty tensor of the shape and type of the result, from the arguments.
    """

    def values(*arguments: Any) -> Tensor:
        return operation.values(*arguments[:tensors], *restore(*arguments[tensors:])).contiguous()

    def gradients(grad: Tensor, *arguments: Any) -> list[Tensor]:
        found = operation.gradients(grad, *arguments[:tensors], *restore(*arguments[tensors:]))
        return [g.contiguous() for g in found]

    def setup_context(ctx, inputs, output) -> None:
        ctx.save_for_backward(*inputs[:tensors])
        ctx.settings = inputs[tensors:]

    def backward(ctx, grad: Tensor):
        return *derivative(grad, *ctx.saved_tensors, *ctx.settings), *[None] * len(ctx.settings)

    name = f"yolo_cot::{operation.name}"
    function = torch.library.custom_op(name, values, mutates_args=(), schema=f"({schema}) -> Tensor")
    derivative = torch.library.custom_op(
        f"{name}_gradients", gradients, mutates_args=(), schema=f"(Tensor grad, {schema}) -> Tensor[]"
    )
    function.register_fake(like)
    derivative.register_fake(lambda grad, *a: [contiguous_like(t) for t in a[:tensors]])
    function.register_autograd(backward, setup_context=setup_context)
    return function


def contiguous_like(tensor: Tensor) -> Tensor:
    """An empty contiguous tensor of the same shape and type."""
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)
