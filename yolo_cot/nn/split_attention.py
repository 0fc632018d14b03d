"""Channel attention that divides between branches, and its single-branch form.

Source: split attention, "ResNeSt", arXiv 2004.08955, section 3.1, as CoTNet (arXiv 2107.12292) uses it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from .published_keys import AuthorsKeys


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm behind a global pool, safe for a batch of one image in training.

    Source: `nn.BatchNorm2d`. Differs from it: one value per channel has no variance, so such a batch is normalised by
    the running statistics, which it leaves as they are, where the stock class raises an error.

    Shape: (B, C, 1, 1) -> (B, C, 1, 1).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised values."""
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def pooled_conv(c1: int, c2: int, act: nn.Module) -> Conv:
    """1x1 convolution with bias, batch norm and activation for pooled maps, (B, c1, 1, 1) -> (B, c2, 1, 1).

    The bias is the authors'; batch norm makes it idle in training, but their weights have it.
    """
    conv = Conv(c1, c2, 1, act=act)
    conv.conv = nn.Conv2d(c1, c2, 1)
    conv.bn = PooledBatchNorm2d(c2)
    return conv


class RadixFusion(AuthorsKeys):
    """Divide each channel between the dynamic and the static context, by a softmax over two predicted logits.

    Source: arXiv 2107.12292, section 3.2, with split attention of radix 2.
    Differs from it: a softmax over two is the sigmoid of the difference, so only that difference is computed.

    Args:
        c1: channels.
        reduction: the hidden width is 2 * c1 // reduction, at least 32.

    Shape: dynamic and static (B, c1, H, W) -> (B, c1, H, W).
    """

    authors_keys: ClassVar[dict[str, str]] = {"0.": "reduce.conv.", "1.": "reduce.bn.", "3.": "expand."}

    def __init__(self, c1: int, reduction: int = 4):
        super().__init__()
        hidden = max(2 * c1 // reduction, 32)
        self.reduce = pooled_conv(c1, hidden, nn.ReLU())
        self.expand = nn.Conv2d(hidden, 2 * c1, 1)

    def dynamic_weight(self, dynamic: Tensor, static: Tensor) -> Tensor:
        """Weight of the dynamic context in each channel, (B, c1, 1, 1); the static one has the rest."""
        pooled = dynamic.mean((2, 3), keepdim=True) + static.mean((2, 3), keepdim=True)
        logits = self.expand(self.reduce(pooled))
        for_dynamic, for_static = logits.reshape(logits.shape[0], -1, 2, 1).split(1, 2)
        return (for_dynamic - for_static).sigmoid()

    def shares(self, dynamic: Tensor, static: Tensor) -> Tensor:
        """Weights of the dynamic and the static context, (B, 2, c1)."""
        weight = self.dynamic_weight(dynamic, static).flatten(1)
        return torch.stack((weight, 1 - weight), 1)

    def forward(self, dynamic: Tensor, static: Tensor) -> Tensor:
        """Return the weighted sum of the two contexts."""
        return static + self.dynamic_weight(dynamic, static).to(static.dtype) * (dynamic - static)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: two additions for the pools, two operations to mix, two convolutions of pooled maps."""
        hidden, c1 = self.expand.in_channels, self.expand.out_channels // 2
        return 4 * output.numel() + 3 * output.shape[0] * hidden * c1


class SplitAttentionConv(AuthorsKeys):
    """A 3x3 convolution whose output channels are scaled by channel attention (radix 1).

    Source: ResNeSt, arXiv 2004.08955; SE-CoTNetD (arXiv 2107.12292, section 4) has it in the blocks without CoT.
    Differs from it: nothing but names; the authors' weights load.

    Args:
        c1: channels in and out.
        stride: of the convolution.
        reduction: the hidden width of the channel attention is c1 // reduction, at least 32.

    Shape: (B, c1, H, W) -> (B, c1, ceil(H / stride), ceil(W / stride)).
    """

    authors_keys: ClassVar[dict[str, str]] = {
        "bn0.": "conv.bn.",
        "fc1.": "reduce.conv.",
        "bn1.": "reduce.bn.",
        "fc2.": "expand.",
        "conv.weight": "conv.conv.weight",
    }

    def __init__(self, c1: int, stride: int = 1, reduction: int = 4):
        super().__init__()
        hidden = max(c1 // reduction, 32)
        self.conv = Conv(c1, c1, 3, stride, act=nn.SiLU())
        self.reduce = pooled_conv(c1, hidden, nn.SiLU())
        self.expand = nn.Conv2d(hidden, c1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, and scale each channel."""
        y = self.conv(x)
        return y * self.expand(self.reduce(y.mean((2, 3), keepdim=True))).sigmoid()
