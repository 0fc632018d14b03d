"""Contextual Transformer attention.

Sources:
    CoTNet: "Contextual Transformer Networks for Visual Recognition", arXiv 2107.12292.
    The plug-in form that tutorials print under the name CoTAttention.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from ..ops.batch_norm import suits
from ..ops.cot_training import Weights, cot_training
from ..ops.pointwise import autocast
from ..ops.tracing import recording
from . import checks
from .conv import AddingConv2d, PointwiseConv, PointwiseConv2d, TapMeanConv2d, frozen
from .gate import GatedBlock
from .hooks import watched
from .published_keys import AuthorsKeys


class PositionSoftmax(nn.Module):
    """Weigh every channel's values by a softmax over all positions, and add the static context.

    Shape: keys, attention and values (B, C, H, W) -> (B, C, H, W).
    """

    def forward(self, keys: Tensor, attention: Tensor, values: Tensor) -> Tensor:
        """Return keys + softmax(attention over H * W) * values."""
        weights = attention.flatten(2).softmax(-1).view(values.shape)
        if recording():  # some converters know no addcmul
            return keys + weights * values
        return torch.addcmul(keys, weights, values)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds per value: half of the softmax's five operations, rounded up to 3, and the multiply-add."""
        return 4 * output.numel()


class CoTAttention(AuthorsKeys, GatedBlock):
    """The tutorials' CoTAttention: a static k x k context plus values weighed by a softmax over all positions.

    Source: the plug-in form of the CoT block that is printed in tutorials; their state dicts load.
    Differs from it: the k * k maps that it averages away are never computed (their weights are averaged instead, which
    gives the same values and gradients).
    Differs from the paper (arXiv 2107.12292, section 3.2): the paper aggregates each pixel's k x k neighbours with
    per-pixel weights and fuses the two contexts by channel attention. This form averages the k x k weights, takes a
    softmax over all H * W positions and adds. Its dynamic branch is therefore about 1 / (H * W) of the static one.

    Args:
        c1: channels in and out, a multiple of `groups`.
        kernel_size: side k of the static context, odd.
        factor: the attention's hidden width is 2 * c1 // factor.
        gate: None, or the start value of `gamma` in x + gamma * block(x).
        groups: groups of the static context's convolution; the tutorial's CoTResNet-50 has 1.

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W.
    """

    authors_keys: ClassVar[dict[str, str]] = {
        "key_embed.0.": "key_embed.conv.",
        "key_embed.1.": "key_embed.bn.",
        "value_embed.0.": "value_embed.conv.",
        "value_embed.1.": "value_embed.bn.",
        "attention_embed.0.": "attention_embed.conv.",
        "attention_embed.1.": "attention_embed.bn.",
        "attention_embed.3.": "attention_mean.",
    }

    def __init__(self, c1: int, kernel_size: int = 3, factor: int = 4, gate: float | None = None, groups: int = 4):
        super().__init__(c1, gate)
        self.kernel_size = checks.odd("CoTAttention", "kernel_size", kernel_size)
        if c1 % checks.whole("CoTAttention", "groups", groups):
            low = c1 // groups * groups
            raise ValueError(
                f"CoTAttention needs c1 divisible by {groups}, its number of groups; got c1={c1}. "
                f"Use {f'{low} or ' if low else ''}{low + groups}."
            )
        hidden = 2 * c1 // checks.whole("CoTAttention", "factor", factor)
        if not hidden:
            raise ValueError(f"CoTAttention needs factor of at most 2 * c1; got factor={factor}, c1={c1}.")
        self.key_embed = Conv(c1, c1, kernel_size, g=groups, act=nn.ReLU(inplace=True))
        self.value_embed = PointwiseConv(c1, c1, act=False)
        self.attention_embed = PointwiseConv(2 * c1, hidden, act=nn.ReLU(inplace=True))
        self.attention_mean = TapMeanConv2d(hidden, c1, kernel_size**2)
        self.mix = PositionSoftmax()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled when all 1x1 convolutions were plain ones, too."""
        super().__setstate__(state)
        conv, cls = (self.from_keys, AddingConv2d) if self.fused else (self.attention_embed.conv, PointwiseConv2d)
        if type(conv) is nn.Conv2d:
            conv.__class__ = cls

    def attend(self, x: Tensor) -> Tensor:
        """Add the static context and the dynamic one."""
        if _trains_at_once(self, x):
            return self._at_once(x)
        keys = self.key_embed(x)
        if self.fused:
            values, hidden = self.from_input(x).split((self.c1, self.from_keys.out_channels), 1)
            attention = self.to_attention(F.relu(self.from_keys(keys, hidden), inplace=not recording()))
        else:
            values = self.value_embed(x)
            attention = self.attention_mean(self.attention_embed((keys, x)))
        return self.mix(keys, attention, values)

    def _at_once(self, x: Tensor) -> Tensor:
        """The training pass by functions with gradients of their own, from the parameters of the modules."""
        keys, values, attention, last = self.key_embed, self.value_embed, self.attention_embed, self.attention_mean
        assert last.bias is not None
        convs = (keys.conv.weight, values.conv.weight, attention.conv.weight)
        weights = Weights(*convs, last.mean_weight(), last.bias)
        return cot_training(x, weights, (keys.bn, values.bn, attention.bn), keys.conv.groups)

    @property
    def fused(self) -> bool:
        """Whether `fuse` has been called."""
        return not hasattr(self, "attention_mean")

    @torch.no_grad()
    def fuse(self) -> None:
        """Keep the four convolutions that inference needs.

        Values and the input's share of the attention are one convolution of x, so nothing is concatenated; the last
        layer is its averaged weights, without the bias, since a softmax over positions ignores a constant.
        """
        if self.fused or hasattr(self.key_embed, "bn"):
            return
        c, hidden = self.c1, self.attention_embed.conv
        on_keys, on_input = hidden.weight.split((c, c), 1)
        values = self.value_embed.conv
        assert values.bias is not None
        assert hidden.bias is not None
        weight, bias = torch.cat((values.weight, on_input)), torch.cat((values.bias, hidden.bias))
        self.from_input = frozen(PointwiseConv2d(c, len(bias)), weight, bias)
        self.from_keys = frozen(AddingConv2d(c, len(on_keys)), on_keys, None)
        weight = self.attention_mean.mean_weight()
        self.to_attention = frozen(PointwiseConv2d(len(on_keys), c), weight, None)
        del self.value_embed, self.attention_embed, self.attention_mean


def _trains_at_once(block: CoTAttention, x: Tensor) -> bool:
    """Whether `cot_training` does it: training in full precision on a CPU, of modules as they were made, unwatched."""
    if not block.training or block.fused or recording() or not torch.is_grad_enabled() or autocast():
        return False
    if type(x) not in (Tensor, nn.Parameter) or x.device.type != "cpu" or not x.is_contiguous():
        return False
    parts = [part for part in block.modules() if part is not block]
    if x.dtype not in (torch.float32, torch.float64) or x.numel() <= block.c1 or watched(*parts):
        return False
    embeds = ((block.key_embed, nn.ReLU), (block.value_embed, nn.Identity), (block.attention_embed, nn.ReLU))
    if not all(_as_made(embed, act, x.dtype) for embed, act in embeds) or any("forward" in vars(p) for p in parts):
        return False
    return type(block.attention_mean) is TapMeanConv2d and type(block.mix) is PositionSoftmax


def _as_made(embed: nn.Module, act: type[nn.Module], dtype: torch.dtype) -> bool:
    """Whether a Conv-BN-activation computes what the block was made with."""
    if type(embed) not in (Conv, PointwiseConv) or type(embed.act) is not act:
        return False
    conv = embed.conv
    if not isinstance(conv, nn.Conv2d) or type(conv) not in (nn.Conv2d, PointwiseConv2d):
        return False
    if conv.weight.dtype != dtype or conv.bias is not None:
        return False
    same = tuple(k // 2 for k in conv.kernel_size)
    if (conv.stride, conv.padding, conv.dilation, conv.padding_mode) != ((1, 1), same, (1, 1), "zeros"):
        return False
    return suits(getattr(embed, "bn", None), dtype)
