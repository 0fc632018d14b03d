"""Multi-head local self-attention, which the Contextual Transformer block is measured against.

Source: CoTNet, arXiv 2107.12292, section 3.1 and figure 2(a).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..ops.local_mix import local_mix, local_relation
from . import checks
from .gate import GatedBlock
from .outlook import heads


class LocalAttention(nn.Module):
    """Softmax of the local relation, and the mix of the neighbours' values; holds the relative positions.

    Shape: queries, keys and values (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, c1: int, num_heads: int, kernel_size: int, scale: float):
        super().__init__()
        self.num_heads, self.kernel_size, self.scale = num_heads, kernel_size, scale
        self.position = nn.Parameter(torch.empty(kernel_size**2, c1 // num_heads, 1, 1))
        nn.init.trunc_normal_(self.position, std=0.02)

    def weights(self, queries: Tensor, keys: Tensor) -> Tensor:
        """The attention of every pixel to its neighbours, (B, num_heads * k * k, H, W), each head's summing to 1."""
        b, _, h, w = queries.shape
        n, taps = self.num_heads, self.kernel_size**2
        relation = local_relation(queries, keys, n, self.kernel_size)
        position = self.position.repeat(n, 1, 1, 1)
        logits = relation + torch.nn.functional.conv2d(queries, position, groups=n)
        return (logits * self.scale).reshape(b, n, taps, h * w).softmax(2).reshape(b, n * taps, h, w)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the mixed values."""
        return local_mix(values, self.weights(queries, keys).to(values.dtype), self.kernel_size)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: relation, position and mix, one each per neighbour and value, and 3 per weight (softmax)."""
        taps = self.kernel_size**2
        return 3 * taps * output.numel() + 3 * taps * self.num_heads * output.numel() // output.shape[1]


class LocalSelfAttention(GatedBlock):
    """Multi-head self-attention over each pixel's k x k neighbours, with learned relative positions.

    Source: CoTNet, arXiv 2107.12292, section 3.1, equations 1 to 3; it stands here to compare CoTBlock with.
    Differs from it: outside the map keys and values are zeros, as in CoTNet's own aggregation, and the logits can be
    scaled.

    Args:
        c1: channels in and out, a multiple of `num_heads`.
        kernel_size: side k of the neighbourhood, odd.
        num_heads: attention heads; None takes the largest number of heads of at least 32 channels.
        qk_scale: factor of the logits; the paper's 1 by default.
        gate: None, or the start value of `gamma` in x + gamma * block(x).

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W.
    """

    def __init__(
        self,
        c1: int,
        kernel_size: int = 3,
        num_heads: int | None = None,
        qk_scale: float = 1.0,
        gate: float | None = None,
    ):
        super().__init__(c1, gate)
        name = "LocalSelfAttention"
        self.kernel_size = checks.odd(name, "kernel_size", kernel_size)
        self.num_heads = heads(name, c1) if num_heads is None else checks.whole(name, "num_heads", num_heads)
        if c1 % self.num_heads:
            raise ValueError(
                f"{name} needs c1 divisible by num_heads; got c1={c1}, num_heads={num_heads}. Use {heads(name, c1)}."
            )
        self.query, self.key, self.value = (nn.Conv2d(c1, c1, 1, bias=False) for _ in range(3))
        scale = checks.number(name, "qk_scale", qk_scale)
        self.mix = LocalAttention(c1, self.num_heads, self.kernel_size, scale)

    def attend(self, x: Tensor) -> Tensor:
        """Attend to the neighbours."""
        return self.mix(self.query(x), self.key(x), self.value(x))
