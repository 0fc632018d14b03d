"""Convolutions whose weight is simplified before it is used, so that less is computed per pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from ..ops.pointwise import add_pointwise, pointwise


class TapMeanConv2d(nn.Conv2d):
    """1x1 convolution to `taps` maps per output channel, and their mean: computed as one convolution with mean weights.

    Source: the last layer of `attention_embed` in the tutorials' CoTAttention, with the mean that follows it there.
    Differs from it: the mean is taken over the weights, which is equal and never makes the `taps * c2` maps.

    Args:
        c1: channels in.
        c2: channels out.
        taps: maps that are averaged for each output channel.

    Shape: (B, c1, H, W) -> (B, c2, H, W). Parameters: weight (c2 * taps, c1, 1, 1), bias (c2 * taps,).
    """

    def __init__(self, c1: int, c2: int, taps: int):
        super().__init__(c1, c2 * taps, 1)
        self.taps = taps

    def mean_weight(self) -> Tensor:
        """Weight of the equal 1x1 convolution, (c2, c1, 1, 1)."""
        return self.weight.view(-1, self.taps, self.in_channels).mean(1)[:, :, None, None]

    def mean_bias(self) -> Tensor:
        """Bias of the equal 1x1 convolution, (c2,)."""
        assert self.bias is not None
        return self.bias.view(-1, self.taps).mean(1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the equal 1x1 convolution."""
        return pointwise((x,), self.mean_weight(), self.mean_bias())

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds per pixel: c1 * c2. (Averaging the weights does not grow with the image and is left out.)"""
        return self.in_channels * output.numel()


class PointwiseConv2d(nn.Conv2d):
    """1x1 convolution that is computed as a matrix product where that is faster, of one map or of several.

    Args:
        c1: channels in, of all maps together.
        c2: channels out.
        bias: whether there is a bias.

    Shape: (B, c1, H, W), or a tuple of maps whose channels add up to c1 -> (B, c2, H, W).
    """

    def __init__(self, c1: int, c2: int, bias: bool = True):
        super().__init__(c1, c2, 1, bias=bias)

    def forward(
        self, x: Tensor | tuple[Tensor, ...], memory_format: torch.memory_format = torch.preserve_format
    ) -> Tensor:
        """Apply the convolution to the map, or to the maps as if they were put side by side."""
        return pointwise(x if isinstance(x, tuple) else (x,), self.weight, self.bias, memory_format)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: c1 for each output value."""
        return self.in_channels * output.numel()


class AddingConv2d(PointwiseConv2d):
    """1x1 convolution without bias whose output is added to a map that nobody else needs; for inference.

    Shape: x (B, c1, H, W), total (B, c2, H, W) -> (B, c2, H, W).
    """

    def __init__(self, c1: int, c2: int):
        super().__init__(c1, c2, bias=False)

    def forward(self, x: Tensor, total: Tensor) -> Tensor:  # type: ignore[override]
        """Return the sum; `total` may be overwritten."""
        return add_pointwise(total, x, self.weight)


class PointwiseConv(Conv):
    """Ultralytics' 1x1 Conv-BN-activation with `PointwiseConv2d` in it, so that it also takes a tuple of maps.

    Args:
        c1: channels in, of all maps together.
        c2: channels out.
        act: the activation, or False for none.
    """

    def __init__(self, c1: int, c2: int, act: nn.Module | bool):
        super().__init__(c1, c2, 1, act=act)
        self.conv = PointwiseConv2d(c1, c2, bias=False)


def frozen(conv: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """Give a convolution copies of weight and bias that are not trained; returns it."""
    conv.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    conv.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
    return conv


class ScaledConv2d(nn.Conv2d):
    """1x1 convolution whose output is multiplied by a constant: the constant is applied to the weights.

    Args:
        c1: channels in.
        c2: channels out.
        scale: the constant.

    Shape: (B, c1, H, W) -> (B, c2, H, W).
    """

    # On the class, so that checkpoints from before it was there have it too.
    folded: bool = False

    def __init__(self, c1: int, c2: int, scale: float):
        super().__init__(c1, c2, 1)
        self.scale = scale

    def forward(self, x: Tensor, order: list[int] | None = None) -> Tensor:
        """Apply the convolution with scaled weight and bias; `order` picks the output channels and their order."""
        assert self.bias is not None
        weight, bias = self.weight, self.bias
        if order is not None:
            index = torch.tensor(order, device=weight.device)
            weight, bias = weight[index], bias[index]
        if not self.folded:
            weight, bias = weight * self.scale, bias * self.scale
        return pointwise((x,), weight, bias)

    @torch.no_grad()
    def fold(self) -> None:
        """Multiply the constant into the parameters for good."""
        assert self.bias is not None
        if not self.folded:
            self.weight *= self.scale
            self.bias *= self.scale
            self.folded = True

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: c1 for each output value."""
        return self.in_channels * output.numel()
