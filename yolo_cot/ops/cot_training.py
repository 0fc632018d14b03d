"""The training pass of CoTAttention as two functions with hand-written gradients; for a CPU.

    keys = relu(bn(conv(x)))            values = bn(x @ V)
    weights = softmax over H * W of (relu(bn([keys, x] @ A)) @ M)
    out = keys + weights * values

Operation by operation, each result and each gradient takes memory of its own, and each operation a record for the
backward pass. In one function the softmax, its gradient and those of the ReLUs stay where they are, the gradients that
meet at `x` and at `keys` are added up by the products that make them, and nothing is recorded. The static context,
bn(conv(x)), is a function of its own, so that what the rest has saved is free when its gradients are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batch_norm import batch_norm_, batch_norm_backward
from .pointwise import products, weight_gradient


class Weights(NamedTuple):
    """The parameters of the four convolutions.

    keys: of the static context, (C, C / groups, k, k), k odd.
    values: V, (C, C, 1, 1).
    attention: A, (hidden, 2 * C, 1, 1).
    hidden: M, (C, hidden, 1, 1).
    bias: what is added behind M, of any shape. Constant over the positions, it changes no softmax: its gradient is 0.
    """

    keys: Tensor
    values: Tensor
    attention: Tensor
    hidden: Tensor
    bias: Tensor


def cot_training(x: Tensor, weights: Weights, norms: Sequence[nn.BatchNorm2d], groups: int) -> Tensor:
    """The output of CoTAttention in training.

    Args:
        x: (B, C, H, W), contiguous, on a CPU, of more than one position in all.
        weights: the parameters of the convolutions.
        norms: the batch norms of keys, values and attention, in training; their running statistics are updated.
        groups: groups of the static context's convolution.

    Everything is of one type, float32 or float64.

    Returns:
        (B, C, H, W). First and second derivatives are right; the library's batch norm has no third ones.
    """
    norm_k, norm_v, norm_a = norms
    context = _StaticContext.apply(x, weights.keys, norm_k.weight, norm_k.bias, norm_k, groups)
    affine = (norm_v.weight, norm_v.bias, norm_a.weight, norm_a.bias)
    return _DynamicContext.apply(x, context, *weights[1:], *affine, norm_v, norm_a)


class _StaticContext(torch.autograd.Function):
    """bn(conv(x)), the keys before their ReLU."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, gain: Tensor, bias: Tensor, norm: nn.BatchNorm2d, groups: int):
        z = F.conv2d(x, weight, None, 1, weight.shape[2] // 2, 1, groups).contiguous()
        y, rest, var = batch_norm_(z, norm)
        ctx.eps, ctx.groups = norm.eps, groups
        ctx.save_for_backward(x, weight, gain, bias, z, rest, var)
        return y

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, weight, gain, bias, z, rest, var = ctx.saved_tensors
        padding, wanted = weight.shape[2] // 2, ctx.needs_input_grad
        if torch.is_grad_enabled():  # `create_graph=True`
            again = partial(_static_context, eps=ctx.eps, groups=ctx.groups)
            return *_differentiable(again, (x, weight, gain, bias), wanted, grad), None, None
        of_z, *of_norm = batch_norm_backward(grad, z, gain, rest, var, ctx.eps)
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            of_z, x, weight, None, [1, 1], [padding] * 2, [1, 1], False, [0, 0], ctx.groups, [*wanted[:2], False]
        )
        return of_x, of_weight, *of_norm, None, None


class _DynamicContext(torch.autograd.Function):
    """Everything else; takes the memory of the keys before their ReLU for the keys."""

    @staticmethod
    def forward(ctx, x: Tensor, keys: Tensor, on_values, on_attention, on_hidden, bias, *rest):
        *affine, norm_v, norm_a = rest
        keys = keys.relu_()
        z_v = products([(on_values.flatten(1), x)])
        values, *stats_v = batch_norm_(z_v, norm_v)
        to_keys, to_x = on_attention.flatten(1).split(x.shape[1], 1)
        z_a = products([(to_keys, keys), (to_x, x)])
        hidden, *stats_a = batch_norm_(z_a, norm_a)
        hidden.relu_()
        weights = products([(on_hidden.flatten(1), hidden)])
        flat = weights.flatten(2)
        torch.softmax(flat, -1, out=flat)
        ctx.eps = norm_v.eps, norm_a.eps
        inputs = (x, keys, on_values, on_attention, on_hidden, bias, *affine)
        ctx.save_for_backward(*inputs, values, hidden, weights, z_v, *stats_v, z_a, *stats_a)
        return torch.addcmul(keys, weights, values)

    @staticmethod
    def backward(ctx, grad: Tensor):
        saved = ctx.saved_tensors  # asked for once: checkpointing gives it once
        inputs, made = saved[:10], saved[10:]
        if torch.is_grad_enabled():  # `create_graph=True`
            again = partial(_dynamic_context, eps=ctx.eps)
            return *_differentiable(again, inputs, ctx.needs_input_grad, grad), None, None
        x, keys, on_values, on_attention, on_hidden, bias, gain_v, _, gain_a, _ = inputs
        values, hidden, weights, z_v, rest_v, var_v, z_a, rest_a, var_a = made
        eps_v, eps_a = ctx.eps
        grad = grad.contiguous()

        of_z, *of_norm_v = batch_norm_backward(grad * weights, z_v, gain_v, rest_v, var_v, eps_v)
        of_on_values = weight_gradient(of_z, (x,), on_values)
        of_x = products([(on_values.flatten(1).t(), of_z)])
        del of_z

        of_logits = grad * values
        flat = of_logits.flatten(2)
        torch.ops.aten._softmax_backward_data.out(flat, weights.flatten(2), -1, x.dtype, grad_input=flat)
        of_on_hidden = weight_gradient(of_logits, (hidden,), on_hidden)
        of_hidden = products([(on_hidden.flatten(1).t(), of_logits)])
        del of_logits, flat
        torch.ops.aten.threshold_backward.grad_input(of_hidden, hidden, 0, grad_input=of_hidden)
        of_z, *of_norm_a = batch_norm_backward(of_hidden, z_a, gain_a, rest_a, var_a, eps_a)
        del of_hidden
        of_on_attention = weight_gradient(of_z, (keys, x), on_attention)
        to_keys, to_x = on_attention.flatten(1).t().split(x.shape[1])
        of_x = products([(to_x, of_z)], of_x, overwrite=True)
        of_keys = products([(to_keys, of_z)], grad)
        torch.ops.aten.threshold_backward.grad_input(of_keys, keys, 0, grad_input=of_keys)
        of_weights = (of_on_values, of_on_attention, of_on_hidden, torch.zeros_like(bias))
        return of_x, of_keys, *of_weights, *of_norm_v, *of_norm_a, None, None


def _static_context(x: Tensor, weight: Tensor, gain: Tensor, bias: Tensor, eps: float, groups: int) -> Tensor:
    """`_StaticContext` by operations that record a graph."""
    return _norm(F.conv2d(x, weight, None, 1, weight.shape[2] // 2, 1, groups), gain, bias, eps)


def _dynamic_context(
    x: Tensor, keys: Tensor, on_values: Tensor, on_attention: Tensor, on_hidden: Tensor, bias: Tensor, *affine, eps
) -> Tensor:
    """`_DynamicContext` by operations that record a graph.

    Of keys that are overwritten by their ReLU, the ReLU has the value and the derivative that it had before.
    """
    gain_v, bias_v, gain_a, bias_a = affine
    keys = keys.relu()
    values = _norm(F.conv2d(x, on_values), gain_v, bias_v, eps[0])
    hidden = _norm(F.conv2d(torch.cat((keys, x), 1), on_attention), gain_a, bias_a, eps[1]).relu()
    logits = F.conv2d(hidden, on_hidden) + 0 * bias.sum()
    return keys + logits.flatten(2).softmax(-1).view_as(values) * values


def _norm(z: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return F.batch_norm(z, None, None, gain, bias, True, 0.0, eps)


def _differentiable(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], wanted: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    """The gradients of `function` as a graph, which has the derivatives that the library's operations have.

    They are taken at views of the inputs, since one input may have been computed from another: the keys are, from x.
    """
    views = [t.view_as(t) for t in inputs]
    leaves = [view for view, needed in zip(views, wanted) if needed]
    with torch.autocast("cpu", enabled=False):
        found = iter(torch.autograd.grad(function(*views), leaves, grad, create_graph=True))
    return [next(found) if needed else None for _, needed in zip(inputs, wanted)]
