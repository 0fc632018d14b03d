"""The blocks as they were published: the definitions that tests compare with and that the benchmark measures against.

They compute what our blocks compute, in the way the published code does, and are not meant to be trained.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cot import CoTAttention
from .outlook import OutlookAttention


class PublishedCoTAttention(nn.Module):
    """The tutorials' CoTAttention: a convolution to k * k * C maps, their mean, a softmax over all positions.

    Source: the plug-in form of tutorials. Differs from it: nothing but names; weights are copied from `block`.

    Args:
        block: a CoTAttention that is not fused; its gate is left out.
    """

    def __init__(self, block: CoTAttention):
        super().__init__()
        self.taps = block.kernel_size**2
        c, hidden = block.c1, block.attention_embed.conv.out_channels
        self.key_embed = nn.Sequential(
            nn.Conv2d(c, c, block.kernel_size, padding=block.kernel_size // 2, groups=4, bias=False),
            nn.BatchNorm2d(c),
            nn.ReLU(),
        )
        self.value_embed = nn.Sequential(nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c))
        self.attention_embed = nn.Sequential(
            nn.Conv2d(2 * c, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, self.taps * c, 1),
        )
        state = block.state_dict()
        state.pop("gamma", None)
        names = [*self.authors_names(state)]
        self.load_state_dict(dict(zip(names, state.values())))
        for own, theirs in (
            (self.key_embed[1], block.key_embed.bn),
            (self.value_embed[1], block.value_embed.bn),
            (self.attention_embed[1], block.attention_embed.bn),
        ):
            own.eps, own.momentum = theirs.eps, theirs.momentum

    @staticmethod
    def authors_names(state: dict[str, Tensor]) -> list[str]:
        """The authors' names of our state-dict keys, in order."""
        ours_to_theirs = {ours: theirs for theirs, ours in CoTAttention.authors_keys.items()}
        return [
            next(theirs + key[len(ours) :] for ours, theirs in ours_to_theirs.items() if key.startswith(ours))
            for key in state
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, (B, C, H, W)."""
        b, c, h, w = x.shape
        keys = self.key_embed(x)
        values = self.value_embed(x).view(b, c, -1)
        attention = self.attention_embed(torch.cat([keys, x], 1))
        attention = attention.reshape(b, c, self.taps, h, w).mean(2).view(b, c, -1)
        return keys + (attention.softmax(-1) * values).view(b, c, h, w)


class PublishedOutlookAttention(nn.Module):
    """VOLO's outlook attention: unfold, multiply, fold, on channels-last maps.

    Source: VOLO, arXiv 2106.13112. Differs from it: takes and returns (B, C, H, W), as a YOLO layer must.

    Args:
        block: an OutlookAttention that is not fused; its gate and drop-outs are left out.
    """

    def __init__(self, block: OutlookAttention):
        super().__init__()
        self.num_heads, self.kernel_size, self.stride = block.num_heads, block.kernel_size, block.stride
        self.scale = block.attn.scale
        c = block.c1
        self.v = nn.Linear(c, c, bias=block.v.bias is not None)
        self.attn = nn.Linear(c, block.attn.out_channels)
        self.proj = nn.Linear(c, c)
        self.load_state_dict(
            {k: v[:, :, 0, 0] if v.dim() == 4 else v for k, v in block.state_dict().items() if k != "gamma"}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, (B, C, H, W)."""
        k, s, n = self.kernel_size, self.stride, self.num_heads
        b, c, height, width = (int(size) for size in x.shape)
        h, w = -(-height // s), -(-width // s)
        last = x.permute(0, 2, 3, 1)
        windows = F.unfold(self.v(last).permute(0, 3, 1, 2), k, padding=k // 2, stride=s)
        windows = windows.reshape(b, n, c // n, k * k, h * w).permute(0, 1, 4, 3, 2)
        centres = F.avg_pool2d(x, s, s, ceil_mode=True).permute(0, 2, 3, 1)
        attention = self.attn(centres).reshape(b, h * w, n, k * k, k * k).permute(0, 2, 1, 3, 4)
        attention = (attention * self.scale).softmax(-1)
        mixed = (attention @ windows).permute(0, 1, 4, 3, 2).reshape(b, c * k * k, h * w)
        folded = F.fold(mixed, (height, width), k, padding=k // 2, stride=s)
        return self.proj(folded.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
