"""Outlook attention.

Source: VOLO, "Vision Outlooker for Visual Recognition", arXiv 2106.13112, section 3.1.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.outlook import outlook, window_centres
from . import checks
from .conv import ScaledConv2d, as_made
from .gate import GatedBlock
from .published_keys import AuthorsKeys


class WindowMix(nn.Module):
    """Softmax of the window attention and the mix of the windows; holds no parameters.

    Shape: values (B, C, H, W), logits (B, heads * k**4, ceil(H / s), ceil(W / s)) -> (B, C, H, W).
    """

    def __init__(self, num_heads: int, kernel_size: int, stride: int, dropout: float):
        super().__init__()
        self.num_heads, self.kernel_size, self.stride, self.dropout = num_heads, kernel_size, stride, dropout

    def forward(self, values: Tensor, logits: Tensor) -> Tensor:
        """Return the mixed values."""
        dropout = self.dropout if self.training else 0.0
        return outlook(values, logits, self.num_heads, self.kernel_size, self.stride, dropout)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds of what is computed.

        Three for each attention entry (five operations of the softmax, one addition that collects it into a tap) and
        one for each tap and channel: (2k - 1)**2 taps per pixel at stride 1, the mean over the phases otherwise.
        """
        _, logits = inputs
        taps = sum(_reach(self.kernel_size, self.stride, phase) for phase in range(self.stride)) ** 2
        return int(3 * logits.numel() + output.numel() * taps / self.stride**2)


def _reach(k: int, s: int, phase: int) -> int:
    """Offsets, along one axis, that reach the outputs of one phase."""
    windows = len([i for i in range(k) if (i - k // 2 - phase) % s == 0])
    return s * (windows - 1) + k if windows else 0


class OutlookAttention(AuthorsKeys, GatedBlock):
    """Outlook attention: each pixel predicts how its k x k windows mix; the windows overlap and add.

    Source: VOLO, arXiv 2106.13112; the authors' weights convert one to one, and so do the tutorials'.
    Differs from it: takes and returns (B, C, H, W), so the projections are 1x1 convolutions; computed without unfold
    and fold, as `yolo_cot.ops.outlook` shows, which gives the same values and gradients.

    Args:
        c1: channels in and out, a multiple of `num_heads`.
        num_heads: attention heads; None takes the largest number of heads of at least 32 channels, VOLO's width.
        kernel_size: side k of the window, odd.
        padding: must be kernel_size // 2, or the windows would not cover the map; there because VOLO's has it.
        stride: distance of the window centres; the output keeps the size of the input.
        qkv_bias: whether the value projection has a bias.
        qk_scale: factor of the attention logits; None takes (c1 / num_heads) ** -0.5.
        attn_drop: drop-out probability of attention entries.
        proj_drop: drop-out probability of the output.
        gate: None, or the start value of `gamma` in x + gamma * block(x).

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W.
    """

    splits: ClassVar[bool] = False
    authors_keys: ClassVar[dict[str, str]] = {"v_pj.": "v."}

    def __init__(
        self,
        c1: int,
        num_heads: int | None = None,
        kernel_size: int = 3,
        padding: int = 1,
        stride: int = 1,
        qkv_bias: bool = False,
        qk_scale: float | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        gate: float | None = None,
    ):
        super().__init__(c1, gate)
        name = "OutlookAttention"
        self.num_heads = head_count(name, c1, num_heads)
        self.kernel_size = checks.odd(name, "kernel_size", kernel_size)
        if checks.whole(name, "padding", padding, least=0) != kernel_size // 2:
            raise ValueError(
                f"{name} needs padding = kernel_size // 2, so that the windows cover the map; "
                f"got kernel_size={kernel_size}, padding={padding}. Use padding={kernel_size // 2}."
            )
        self.stride = checks.whole(name, "stride", stride)
        self.proj_drop = checks.probability(name, "proj_drop", proj_drop)
        attn_drop = checks.probability(name, "attn_drop", attn_drop)
        scale = (c1 // self.num_heads) ** -0.5 if qk_scale is None else checks.number(name, "qk_scale", qk_scale)
        self.v = nn.Conv2d(c1, c1, 1, bias=checks.flag(name, "qkv_bias", qkv_bias))
        self.attn = ScaledConv2d(c1, self.num_heads * kernel_size**4, scale)
        self.mix = WindowMix(self.num_heads, kernel_size, stride, attn_drop)
        self.proj = nn.Conv2d(c1, c1, 1)

    def attend(self, x: Tensor) -> Tensor:
        """Project, mix the windows, project."""
        attn = self.logits if self.fused else self.attn
        y = self.proj(self.mix(self.v(x), attn(window_centres(x, self.stride))))
        return F.dropout(y, self.proj_drop, self.training) if self.proj_drop else y

    @property
    def fused(self) -> bool:
        """Whether `fuse` has been called."""
        return not hasattr(self, "attn")

    @torch.no_grad()
    def fuse(self) -> None:
        """Fold the scale of the logits into weights, which get another name, so that none is scaled twice."""
        if not self.fused and as_made((self.attn, ScaledConv2d)):
            self.logits = self.attn.folded()
            del self.attn


def heads(owner: str, c1: int, width: int = 32) -> int:
    """Largest number of heads that divides `c1` into heads of at least `width` channels; 1 if there is none."""
    c1 = checks.whole(owner, "c1", c1)
    return max(n for n in range(1, max(c1 // width, 1) + 1) if c1 % n == 0)


def head_count(owner: str, c1: int, num_heads: int | None) -> int:
    """`num_heads` if it divides `c1`; the number that `heads` takes if it is None."""
    if num_heads is None:
        return heads(owner, c1)
    if c1 % checks.whole(owner, "num_heads", num_heads):
        divisors = [n for n in range(1, min(c1, 33)) if c1 % n == 0]
        raise ValueError(
            f"{owner} needs c1 divisible by num_heads; got c1={c1}, num_heads={num_heads}. "
            f"Use {', '.join(map(str, divisors[:-1]))}{' or ' if divisors[:-1] else ''}{divisors[-1]}."
        )
    return num_heads
