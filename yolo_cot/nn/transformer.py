"""The parts of a pre-norm transformer block on (B, C, H, W) maps: norm over channels, MLP, attention of all pixels.

Sources:
    ViT, arXiv 2010.11929, section 3.1; VOLO, arXiv 2106.13112, whose Outlooker, transformer and class-attention blocks
    are built of these.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.route import target


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of every pixel.

    Args:
        c1: channels.

    Shape: (B, c1, H, W) -> (B, c1, H, W). Parameters: weight (c1,), bias (c1,).
    """

    def __init__(self, c1: int):
        super().__init__(c1)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise with the channels last, where every runtime has the operation.

        In OpenVINO with the channels where they are: there that costs less than bringing them to the end and back.
        """
        if target() == "openvino":
            centred = x - x.mean(1, keepdim=True)
            scale = (centred.square().mean(1, keepdim=True) + self.eps).rsqrt()
            return centred * scale * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds per value: half of the eight operations of mean, variance, scaling and affine map."""
        return 4 * output.numel()


class PixelMLP(nn.Module):
    """Two 1x1 convolutions with a GELU between them: the transformer's MLP, for every pixel.

    Args:
        c1: channels in and out.
        ratio: hidden channels per channel.

    Shape: (B, c1, H, W) -> (B, c1, H, W).
    """

    def __init__(self, c1: int, ratio: float):
        super().__init__()
        hidden = int(c1 * ratio)
        if hidden < 1:
            raise ValueError(f"An MLP needs mlp_ratio of at least 1 / c1; got mlp_ratio={ratio}, c1={c1}.")
        self.fc1 = nn.Conv2d(c1, hidden, 1)
        self.act = nn.GELU()
        self.fc2 = nn.Conv2d(hidden, c1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Widen, bend, narrow."""
        return self.fc2(self.act(self.fc1(x)))


class HeadMix(nn.Module):
    """Scaled dot-product attention of several heads; holds no parameters.

    Args:
        num_heads: attention heads.
        dropout: drop-out probability of attention entries in training.

    Shape: queries (B, C, Q, 1), keys and values (B, C, K, 1), one column a token -> (B, C, Q, 1).
    """

    def __init__(self, num_heads: int, dropout: float = 0.0):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the mixed values."""
        b, c, q, _ = queries.shape
        split = [x.view(b, self.num_heads, c // self.num_heads, -1).transpose(2, 3) for x in (queries, keys, values)]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(split[0], split[1], split[2], dropout_p=dropout)
        return mixed.transpose(2, 3).reshape(b, c, q, 1)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: two products of c1 * Q * K, and three for each attention entry (its softmax)."""
        queries, keys, _ = inputs
        entries = queries.shape[0] * queries.shape[2] * keys.shape[2]
        return entries * (2 * queries.shape[1] + 3 * self.num_heads)


class GlobalAttention(nn.Module):
    """Multi-head self-attention of all pixels of a map.

    Args:
        c1: channels in and out, a multiple of `num_heads`.
        num_heads: attention heads.
        qkv_bias: whether queries, keys and values have a bias.
        attn_drop: drop-out probability of attention entries.

    Shape: (B, c1, H, W) -> (B, c1, H, W). Cost grows with (H * W)**2.
    """

    def __init__(self, c1: int, num_heads: int, qkv_bias: bool, attn_drop: float):
        super().__init__()
        self.qkv = nn.Conv2d(c1, 3 * c1, 1, bias=qkv_bias)
        self.mix = HeadMix(num_heads, attn_drop)
        self.proj = nn.Conv2d(c1, c1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Project, mix all pixels, project."""
        queries, keys, values = self.qkv(x).flatten(2).unsqueeze(-1).chunk(3, 1)
        return self.proj(self.mix(queries, keys, values).view(x.shape))


def drop_path(x: Tensor, p: float, training: bool) -> Tensor:
    """Stochastic depth: in training leave the change `x` out for a share `p` of the images, and scale up the rest."""
    if not (p and training):
        return x
    # Here, for it takes as long to import as all the rest of the package, and few models need it.
    from torchvision.ops import stochastic_depth  # type: ignore[import-untyped]

    return stochastic_depth(x, p, "row", training)


def start_small(block: nn.Module) -> None:
    """Draw the weights of linear layers and 1x1 convolutions as transformers do: normal, 0.02, biases 0."""
    for module in block.modules():
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
