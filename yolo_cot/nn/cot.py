"""Contextual Transformer attention.

Sources:
    CoTNet: "Contextual Transformer Networks for Visual Recognition", arXiv 2107.12292.
    The plug-in form that tutorials print under the name CoTAttention.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from . import checks
from .conv import TapMeanConv2d, as_made, frozen
from .gate import GatedBlock
from .published_keys import AuthorsKeys


class PositionSoftmax(nn.Module):
    """Weigh every channel's values by a softmax over all positions, and add the static context.

    Shape: keys, attention and values (B, C, H, W) -> (B, C, H, W).
    """

    def forward(self, keys: Tensor, attention: Tensor, values: Tensor) -> Tensor:
        """Return keys + softmax(attention over H * W) * values."""
        return keys + attention.flatten(2).softmax(-1).view(values.shape) * values

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
        self.value_embed = Conv(c1, c1, 1, act=False)
        self.attention_embed = Conv(2 * c1, hidden, 1, act=nn.ReLU(inplace=True))
        self.attention_mean = TapMeanConv2d(hidden, c1, kernel_size**2)
        self.mix = PositionSoftmax()

    def attend(self, x: Tensor) -> Tensor:
        """Add the static context and the dynamic one."""
        keys = self.key_embed(x)
        if self.fused:
            both = self.from_input(x)
            hidden = F.relu(both[:, self.c1 :] + self.from_keys(keys))
            return self.mix(keys, self.to_attention(hidden), both[:, : self.c1])
        attention = self.attention_mean(self.attention_embed(torch.cat((keys, x), 1)))
        return self.mix(keys, attention, self.value_embed(x))

    @property
    def fused(self) -> bool:
        """Whether `fuse` has been called."""
        return not hasattr(self, "attention_mean")

    @torch.no_grad()
    def fuse(self) -> None:
        """Keep the four convolutions that inference needs.

        Values and what the input gives to the attention are one convolution of x, so nothing is put side by side; the
        last layer is its averaged weights, without the bias, since a softmax over positions ignores a constant.
        """
        if self.fused or hasattr(self.key_embed, "bn"):
            return
        if not as_made((self.value_embed, Conv), (self.attention_embed, Conv), (self.attention_mean, TapMeanConv2d)):
            return
        embeds = self.value_embed, self.attention_embed
        if not as_made(*((e.conv, nn.Conv2d) for e in embeds), *zip((e.act for e in embeds), (nn.Identity, nn.ReLU))):
            return
        hidden, values = self.attention_embed.conv, self.value_embed.conv
        on_keys, on_input = hidden.weight.split((self.c1, self.c1), 1)
        self.from_input = frozen(torch.cat((values.weight, on_input)), torch.cat((values.bias, hidden.bias)))
        self.from_keys = frozen(on_keys, None)
        self.to_attention = frozen(self.attention_mean.mean_weight(), None)
        del self.value_embed, self.attention_embed, self.attention_mean
