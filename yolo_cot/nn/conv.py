"""1x1 convolutions whose weight is simplified before it is used, so that less is computed per pixel."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules import Conv


class _CountedConv2d(nn.Conv2d):
    """A 1x1 convolution that tells how much it computes."""

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: c1 for each output value. (What is done to the weights does not grow with the image.)"""
        return self.in_channels * output.numel()


class TapMeanConv2d(_CountedConv2d):
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

    def forward(self, x: Tensor) -> Tensor:
        """Apply the equal 1x1 convolution."""
        assert self.bias is not None
        return F.conv2d(x, self.mean_weight(), self.bias.view(-1, self.taps).mean(1))


class ScaledConv2d(_CountedConv2d):
    """1x1 convolution whose output is multiplied by a constant: the constant is applied to the weights.

    Args:
        c1: channels in.
        c2: channels out.
        scale: the constant.

    Shape: (B, c1, H, W) -> (B, c2, H, W).
    """

    def __init__(self, c1: int, c2: int, scale: float):
        super().__init__(c1, c2, 1)
        self.scale = scale

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Version 0.1 multiplied the constant into the parameters of a fused model and noted that here."""
        if state.pop("folded", False):
            state["scale"] = 1.0
        super().__setstate__(state)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution with scaled weight and bias."""
        assert self.bias is not None
        return F.conv2d(x, self.weight * self.scale, self.bias * self.scale)

    def folded(self) -> nn.Conv2d:
        """The equal plain convolution, for inference."""
        assert self.bias is not None
        return frozen(self.weight * self.scale, self.bias * self.scale)


def frozen(weight: Tensor, bias: Tensor | None, groups: int = 1) -> nn.Conv2d:
    """A 1x1 convolution with copies of weight and bias that are not trained."""
    conv = nn.Conv2d(weight.shape[1] * groups, len(weight), 1, groups=groups, bias=bias is not None)
    conv.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return conv


class PointwiseConv2d(_CountedConv2d):
    """`nn.Conv2d` under the name that checkpoints of version 0.1 hold."""


class AddingConv2d(PointwiseConv2d):
    """`nn.Conv2d` under the name that fused models of version 0.1 hold."""


class PointwiseConv(Conv):
    """Ultralytics' `Conv` under the name that checkpoints of version 0.1 hold."""


_PLAIN: dict[type, type] = {PointwiseConv2d: nn.Conv2d, AddingConv2d: nn.Conv2d, PointwiseConv: Conv}


def as_made(*parts: tuple[nn.Module, type[nn.Module]]) -> bool:
    """True if each module is of exactly its class, and nobody has hooked it or replaced its `forward`.

    Only then may `fuse` fold it away: whatever else stands there was put there by somebody, and stays in use.
    """
    for part, cls in parts:
        if _PLAIN.get(type(part), type(part)) is not cls:
            return False
        for module in part.modules():
            # Ultralytics' `fuse` sets `forward_fuse` in the place of `forward`.
            if vars(module).get("forward") not in (None, getattr(module, "forward_fuse", None)):
                return False
            if module._forward_pre_hooks or module._forward_hooks:
                return False
    return True
