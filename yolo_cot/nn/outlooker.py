"""The Outlooker: outlook attention and an MLP, each behind a norm and beside a shortcut.

Source: VOLO, "Vision Outlooker for Visual Recognition", arXiv 2106.13112, section 3.1.
"""

from __future__ import annotations

from torch import Tensor

from . import checks
from .gate import GatedBlock
from .outlook import OutlookAttention, head_count
from .published_keys import AuthorsKeys
from .transformer import ChannelNorm, PixelMLP, drop_path, start_small


class Outlooker(AuthorsKeys, GatedBlock):
    """Outlooker: y = x + OutlookAttention(LN(x)), then y + MLP(LN(y)).

    Source: VOLO, arXiv 2106.13112, section 3.1; the authors' weights convert one to one.
    Differs from it: takes and returns (B, C, H, W), so the linear layers are 1x1 convolutions and the norm goes over
    the channels of every pixel.

    The block has shortcuts of its own, so its gate scales what it adds to its input: x + gamma * (block(x) - x). With
    gate 0 it is the identity, with gate 1 the block without a gate. Without a gate the weights start as VOLO's do,
    normal with 0.02, so that the block starts near the identity; with a gate, which sees to that, they start as
    PyTorch's.

    Args:
        c1: channels in and out, a multiple of `num_heads`.
        num_heads: attention heads; None takes the largest number of heads of at least 32 channels, VOLO's width.
        kernel_size: side k of the window, odd.
        padding: must be kernel_size // 2, or the windows would not cover the map; there because VOLO's has it.
        stride: distance of the window centres, 2 in VOLO's networks; the output keeps the size of the input.
        mlp_ratio: hidden channels of the MLP per channel.
        qkv_bias: whether the value projection has a bias.
        qk_scale: factor of the attention logits; None takes (c1 / num_heads) ** -0.5.
        attn_drop: drop-out probability of attention entries.
        drop_path: probability, in training, that an image passes attention or MLP by.
        gate: None, or the start value of `gamma` in x + gamma * (block(x) - x).

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W.
    """

    def __init__(
        self,
        c1: int,
        num_heads: int | None = None,
        kernel_size: int = 3,
        padding: int = 1,
        stride: int = 1,
        mlp_ratio: float = 3.0,
        qkv_bias: bool = False,
        qk_scale: float | None = None,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
        gate: float | None = None,
    ):
        super().__init__(c1, gate)
        name = "Outlooker"
        self.drop_path = checks.probability(name, "drop_path", drop_path)
        num_heads = head_count(name, c1, num_heads)
        self.norm1 = ChannelNorm(c1)
        self.attn = OutlookAttention(c1, num_heads, kernel_size, padding, stride, qkv_bias, qk_scale, attn_drop)
        self.norm2 = ChannelNorm(c1)
        self.mlp = PixelMLP(c1, checks.number(name, "mlp_ratio", mlp_ratio))
        if gate is None:
            start_small(self)

    def attend(self, x: Tensor) -> Tensor:
        """Return what the block adds to its input: what the attention adds, and then the MLP."""
        added = drop_path(self.attn(self.norm1(x)), self.drop_path, self.training)
        return added + drop_path(self.mlp(self.norm2(x + added)), self.drop_path, self.training)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input and, behind the gate if there is one, what the block adds to it."""
        added = self.attend(x)
        return x + (added if self.gamma is None else self.gamma.view(-1, 1, 1) * added)
