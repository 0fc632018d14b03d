"""The blocks as they were published: the definitions that tests compare with and that the benchmark measures against.

They compute what our blocks compute, in the way the published code does, and are not meant to be trained.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..nn.cot import CoTAttention
from ..nn.cot_block import CoTBlock, CoXtBlock
from ..nn.outlook import OutlookAttention
from ..nn.split_attention import PooledBatchNorm2d


class PublishedCoTAttention(nn.Module):
    """The tutorials' CoTAttention: a convolution to k * k * C maps, their mean, a softmax over all positions.

    Source: the plug-in form of tutorials. Differs from it: nothing but names; weights are copied from `block`.

    Args:
        block: a CoTAttention that is not fused; its gate is left out.
    """

    def __init__(self, block: CoTAttention):
        super().__init__()
        k, self.taps = block.kernel_size, block.kernel_size**2
        c, hidden = block.c1, block.attention_embed.conv.out_channels
        self.key_embed = nn.Sequential(
            nn.Conv2d(c, c, k, padding=k // 2, groups=block.key_embed.conv.groups, bias=False),
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


class PublishedCoTBlock(nn.Module):
    """The paper's CoT and CoXt blocks with the aggregation written as unfold, multiply and sum.

    Source: CoTNet, arXiv 2107.12292, section 3.2, as its authors' code computes it: input and keys side by side in
    memory, a softmax over the two contexts stacked on an axis of their own.
    Differs from it: the CuPy kernel of the aggregation is its formula, by `unfold`; the batch norm behind the pool
    takes a batch of one image, so that it can be measured there.

    Args:
        block: a CoTBlock or CoXtBlock with fusion `attention` that is not fused; its gate is left out.
    """

    def __init__(self, block: CoTBlock | CoXtBlock):
        super().__init__()
        c, k, groups = block.c1, block.kernel_size, block.groups
        self.kernel_size, self.groups = k, groups
        hidden, weights = block.weights.in_channels, block.weights.out_channels
        self.key_embed = nn.Sequential(
            nn.Conv2d(c, c, k, padding=k // 2, groups=block.key_groups, bias=False), nn.BatchNorm2d(c), nn.ReLU()
        )
        self.embed = nn.Sequential(
            nn.Conv2d(2 * c, hidden, 1, groups=groups, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, weights, 1, groups=groups),
            nn.GroupNorm(block.weight_norm.num_groups, weights),
        )
        self.values = nn.Sequential(nn.Conv2d(c, c, 1, groups=groups, bias=False), nn.BatchNorm2d(c))
        self.norm = nn.BatchNorm2d(c)
        narrow = block.fusion.reduce.conv.out_channels
        self.fusion = nn.Sequential(
            nn.Conv2d(c, narrow, 1), PooledBatchNorm2d(narrow), nn.ReLU(), nn.Conv2d(narrow, 2 * c, 1)
        )
        pairs: tuple[tuple[nn.Module, nn.Module], ...] = (
            (self.key_embed[0], block.key_embed.conv),
            (self.key_embed[1], block.key_embed.bn),
            (self.embed[0], block.hidden.conv),
            (self.embed[1], block.hidden.norm),
            (self.embed[3], block.weights),
            (self.embed[4], block.weight_norm),
            (self.values[0], block.values.conv),
            (self.values[1], block.values.bn),
            (self.norm, block.norm),
            (self.fusion[0], block.fusion.reduce.conv),
            (self.fusion[1], block.fusion.reduce.bn),
            (self.fusion[3], block.fusion.expand),
        )
        for own, theirs in pairs:
            own.load_state_dict(theirs.state_dict())
            if isinstance(own, nn.BatchNorm2d):
                own.eps, own.momentum = theirs.eps, theirs.momentum  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, (B, C, H, W)."""
        b, c, h, w = x.shape
        k, groups = self.kernel_size, self.groups
        keys = self.key_embed(x)
        both = torch.cat((x, keys), 1) if groups == 1 else torch.stack((x, keys), 2).flatten(1, 2)
        weights = self.embed(both).view(b * groups, 1, -1, k * k, h, w)
        sets = weights.shape[2]
        windows = F.unfold(self.values(x).view(b * groups, c // groups, h, w), k, padding=k // 2)
        # Channel c of a group has the weights of set c % sets.
        windows = windows.view(b * groups, c // groups // sets, sets, k * k, h, w)
        dynamic = F.silu(self.norm((windows * weights).sum(3).view(b, c, h, w)))
        stacked = torch.stack((dynamic, keys), 2)
        shares = self.fusion(stacked.sum(2).mean((2, 3), keepdim=True)).view(b, c, 2).softmax(2)
        return (stacked * shares[..., None, None]).sum(2)
