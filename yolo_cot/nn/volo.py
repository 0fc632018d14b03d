"""The parts of the VOLO networks beside the Outlooker: stem, downsampling, position embedding, transformer block.

Source: VOLO, "Vision Outlooker for Visual Recognition", arXiv 2106.13112, section 3.2 and table 2.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from . import checks
from .outlook import head_count
from .published_keys import AuthorsKeys, NormalisingStem
from .transformer import ChannelNorm, GlobalAttention, PixelMLP, drop_path, start_small


class VOLOStem(NormalisingStem):
    """VOLO's patch embedding: three convolutions at half the image's size, then patches of 4 x 4 of their pixels.

    Source: VOLO, arXiv 2106.13112, table 2; the authors' weights convert one to one.
    Differs from it: can normalise the image; batch norm folds at deployment.

    Args:
        c1: channels of the image.
        c2: channels out.
        hidden: channels of the three convolutions.

    Shape: (B, c1, H, W) -> (B, c2, H // 8, W // 8).
    """

    authors_keys: ClassVar[dict[str, str]] = {
        f"conv.{3 * (i - 1) + j}.": f"conv{i}.{name}." for i in (1, 2, 3) for j, name in enumerate(("conv", "bn"))
    }

    def __init__(self, c1: int, c2: int, hidden: int = 64):
        super().__init__(c1)
        checks.whole("VOLOStem", "hidden", hidden)
        self.conv1 = Conv(c1, hidden, 7, 2, act=nn.ReLU())
        self.conv2 = Conv(hidden, hidden, 3, act=nn.ReLU())
        self.conv3 = Conv(hidden, hidden, 3, act=nn.ReLU())
        self.proj = nn.Conv2d(hidden, c2, 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedded patches."""
        return self.proj(self.conv3(self.conv2(self.conv1(self.normalised(x)))))


class VOLODownsample(nn.Module):
    """A 2 x 2 convolution of stride 2, between VOLO's stages.

    Source: VOLO, arXiv 2106.13112, table 2; the authors' weights convert one to one.
    Differs from it: nothing.

    Args:
        c1: channels in.
        c2: channels out.

    Shape: (B, c1, H, W) -> (B, c2, H // 2, W // 2).
    """

    def __init__(self, c1: int, c2: int):
        super().__init__()
        self.proj = nn.Conv2d(c1, c2, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map at half its size."""
        return self.proj(x)


class VOLOPosition(nn.Module):
    """Learned position embedding, added to the map; for a map of another size it is resized, bicubically.

    Source: VOLO, arXiv 2106.13112, section 3.2; resizing as the authors resize it for fine-tuning.
    Differs from it: resized at every call (for its own size that changes nothing), so that one model takes images of
    any size.

    Args:
        c1: channels.
        size: height and width of the map that the embedding is made for: image side / 16 in VOLO's networks.

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W. Parameters: pos_embed (1, c1, size, size).
    """

    def __init__(self, c1: int, size: int = 14):
        super().__init__()
        size = checks.whole("VOLOPosition", "size", size)
        self.pos_embed = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, c1, size, size), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        """Add the embedding at the size of `x`."""
        embedding = F.interpolate(self.pos_embed, size=x.shape[2:], mode="bicubic", align_corners=False)
        return x + embedding.to(x.dtype)


class VOLOTransformer(AuthorsKeys):
    """Transformer block on a map: y = x + attention of all pixels(LN(x)), then y + MLP(LN(y)).

    Source: VOLO, arXiv 2106.13112, section 3.2, after ViT, arXiv 2010.11929; the authors' weights convert one to one.
    Differs from it: takes and returns (B, C, H, W), so the linear layers are 1x1 convolutions.

    Args:
        c1: channels in and out, a multiple of `num_heads`.
        num_heads: attention heads; None takes the largest number of heads of at least 32 channels.
        mlp_ratio: hidden channels of the MLP per channel.
        qkv_bias: whether queries, keys and values have a bias.
        attn_drop: drop-out probability of attention entries.
        drop_path: probability, in training, that an image passes attention or MLP by.

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W. Cost grows with (H * W)**2.
    """

    def __init__(
        self,
        c1: int,
        num_heads: int | None = None,
        mlp_ratio: float = 3.0,
        qkv_bias: bool = False,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
    ):
        super().__init__()
        name = "VOLOTransformer"
        self.drop_path = checks.probability(name, "drop_path", drop_path)
        checks.probability(name, "attn_drop", attn_drop)
        checks.flag(name, "qkv_bias", qkv_bias)
        self.norm1 = ChannelNorm(c1)
        self.attn = GlobalAttention(c1, head_count(name, c1, num_heads), qkv_bias, attn_drop)
        self.norm2 = ChannelNorm(c1)
        self.mlp = PixelMLP(c1, checks.number(name, "mlp_ratio", mlp_ratio))
        start_small(self)

    def forward(self, x: Tensor) -> Tensor:
        """Attention, then MLP, each with a residual."""
        x = x + drop_path(self.attn(self.norm1(x)), self.drop_path, self.training)
        return x + drop_path(self.mlp(self.norm2(x)), self.drop_path, self.training)
