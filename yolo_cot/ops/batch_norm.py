"""Batch norm in training on a CPU, of a map that nobody else needs: for functions that write their own backward pass.

    y = weight * (z - mean(z)) / sqrt(var(z) + eps) + bias,     mean and variance over batch and positions

The library's operation sums a channel value by value, which takes four to six times as long as its own vectorised
reductions. Here the map is centred in its own memory first, so that its variance is a mean of squares with nothing to
cancel; the library's inference form then scales and shifts, and the library's backward form is used as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def suits(norm: nn.Module | None, dtype: torch.dtype) -> bool:
    """Whether `batch_norm_` does what a module does: batch norm in training, with parameters and running statistics."""
    if type(norm) is not nn.BatchNorm2d or not norm.training or not norm.affine:
        return False
    return norm.running_mean is not None and norm.weight.dtype == norm.running_mean.dtype == dtype


@torch.no_grad()
def batch_norm_(z: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Apply a batch norm, for which `suits` holds, to the contiguous `z` (B, C, H, W), and leave `z` centred.

    Returns:
        y (B, C, H, W), and the channels' variance (C,), which `batch_norm_backward` needs; the running statistics are
        updated as the module would.
    """
    number = z.numel() // z.shape[1]
    mean = z.mean((0, 2, 3))
    var = torch.linalg.vector_norm(z.sub_(mean.view(-1, 1, 1)).flatten(2), dim=2).square_().sum(0).div_(number)
    y = torch.native_batch_norm(z, norm.weight, norm.bias, torch.zeros_like(mean), var, False, 0.0, norm.eps)[0]
    _track(norm, mean, var, number)
    return y, var


def _track(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, number: int) -> None:
    """Update the running statistics; the variance that is tracked is the unbiased one."""
    assert norm.num_batches_tracked is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean, share)
    norm.running_var.mul_(1 - share).add_(var, alpha=share * number / (number - 1))


def batch_norm_backward(
    grad: Tensor, centred: Tensor, weight: Tensor, var: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the map, the weight and the bias from that of y."""
    scale = (var + eps).rsqrt_()
    return torch.ops.aten.native_batch_norm_backward(
        grad, centred, weight, None, None, torch.zeros_like(var), scale, True, eps, [True, True, True]
    )
