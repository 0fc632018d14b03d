"""VOLO's classification head: a class token that attends to all pixels, and logits for every pixel beside it.

Source: VOLO, "Vision Outlooker for Visual Recognition", arXiv 2106.13112, section 3.2 (class attention after CaiT,
arXiv 2103.17239; token labels after LV-ViT, arXiv 2104.10858).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Classify

from . import checks
from .outlook import head_count
from .published_keys import AuthorsKeys
from .transformer import ChannelNorm, HeadMix, PixelMLP, start_small


class ClassAttention(nn.Module):
    """Attention of the first token to all tokens.

    Args:
        c1: channels in and out, a multiple of `num_heads`.
        num_heads: attention heads.
        qkv_bias: whether queries, keys and values have a bias.

    Shape: tokens (B, c1, 1 + N, 1), the class token first -> (B, c1, 1, 1).
    """

    def __init__(self, c1: int, num_heads: int, qkv_bias: bool):
        super().__init__()
        self.kv = nn.Conv2d(c1, 2 * c1, 1, bias=qkv_bias)
        self.q = nn.Conv2d(c1, c1, 1, bias=qkv_bias)
        self.mix = HeadMix(num_heads)
        self.proj = nn.Conv2d(c1, c1, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return what the class token takes from all tokens."""
        keys, values = self.kv(tokens).chunk(2, 1)
        return self.proj(self.mix(self.q(tokens[:, :, :1]), keys, values))


class ClassBlock(nn.Module):
    """Class attention and an MLP, each behind a norm and beside a shortcut; only the class token changes.

    Args:
        c1: channels.
        num_heads: attention heads.
        mlp_ratio: hidden channels of the MLP per channel.
        qkv_bias: whether queries, keys and values have a bias.

    Shape: class token (B, c1, 1, 1), tokens (B, c1, N, 1) -> class token (B, c1, 1, 1).
    """

    def __init__(self, c1: int, num_heads: int, mlp_ratio: float, qkv_bias: bool):
        super().__init__()
        self.norm1 = ChannelNorm(c1)
        self.attn = ClassAttention(c1, num_heads, qkv_bias)
        self.norm2 = ChannelNorm(c1)
        self.mlp = PixelMLP(c1, mlp_ratio)

    def forward(self, token: Tensor, tokens: Tensor) -> Tensor:
        """Return the class token after it has looked at all tokens, itself among them."""
        token = token + self.attn(self.norm1(torch.cat((token, tokens), 2)))
        return token + self.mlp(self.norm2(token))


class AuxiliaryHead(nn.Linear):
    """A linear layer that starts at zero: until token labels have trained it, it adds nothing to the class logits.

    Args:
        c1: channels in.
        nc: classes.

    Shape: (B, N, c1) -> (B, N, nc).
    """

    def __init__(self, c1: int, nc: int):
        super().__init__(c1, nc)

    def reset_parameters(self) -> None:
        """Set weight and bias to zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: c1 for each output value."""
        return self.in_features * output.numel()


class VOLOHead(AuthorsKeys, Classify):
    """VOLO's head: class-attention blocks, class logits, and logits of every pixel from the auxiliary head.

    In evaluation the logits are the class logits plus half of every class's best pixel; the result is what Ultralytics'
    `Classify` returns, probabilities and logits, or in an export the probabilities alone. In training it returns the
    class logits, so that Ultralytics' own loss trains the class head. To train with token labels, set `dense` to True
    (class and pixel logits are returned then) and the model's `criterion` to `TokenLabelLoss`.

    Source: VOLO, arXiv 2106.13112, section 3.2; the authors' weights convert one to one.
    Differs from it: takes a (B, C, H, W) map; the auxiliary head starts at zero, since without token labels nothing
    trains it; a new class head (`linear = nn.Linear(...)`, as Ultralytics sets it for another number of classes) brings
    a new auxiliary head along. Mixing the tokens of two images (MixToken) is left to the data loader.

    Args:
        c1: channels in, a multiple of `num_heads`.
        nc: classes.
        num_heads: attention heads; None takes the largest number of heads of at least 32 channels.
        mlp_ratio: hidden channels of the MLPs per channel.
        qkv_bias: whether queries, keys and values have a bias.
        depth: class-attention blocks.

    Shape: (B, c1, H, W) -> in training (B, nc), with `dense` also (B, H * W, nc); else as `Classify`.
    """

    authors_keys: ClassVar[dict[str, str]] = {"post_network.": "blocks.", "head.": "linear."}
    dense: bool = False

    def __init__(
        self,
        c1: int,
        nc: int,
        num_heads: int | None = None,
        mlp_ratio: float = 3.0,
        qkv_bias: bool = False,
        depth: int = 2,
    ):
        # `Classify` is a base for what Ultralytics asks of a head (`isinstance`, `linear`, `export`), not for layers.
        nn.Module.__init__(self)
        name = "VOLOHead"
        checks.whole(name, "nc", nc)
        checks.flag(name, "qkv_bias", qkv_bias)
        num_heads, mlp_ratio = head_count(name, c1, num_heads), checks.number(name, "mlp_ratio", mlp_ratio)
        self.cls_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, c1), std=0.02))
        self.blocks = nn.ModuleList(
            ClassBlock(c1, num_heads, mlp_ratio, qkv_bias) for _ in range(checks.whole(name, "depth", depth))
        )
        self.norm = nn.LayerNorm(c1)
        self.linear = nn.Linear(c1, nc)
        start_small(self)
        self.aux_head = AuxiliaryHead(c1, nc)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a class head for other classes replaces the auxiliary head too."""
        super().__setattr__(name, value)
        aux = self._modules.get("aux_head")
        if name == "linear" and isinstance(aux, AuxiliaryHead) and aux.out_features != value.out_features:
            self.aux_head = AuxiliaryHead(value.in_features, value.out_features).to(aux.weight.device, aux.weight.dtype)

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits (B, nc) and pixel logits (B, H * W, nc) of a map (B, c1, H, W)."""
        tokens = x.flatten(2).unsqueeze(-1)
        token = self.cls_token.transpose(1, 2).unsqueeze(-1).expand(x.shape[0], -1, -1, -1).to(x.dtype)
        for block in self.blocks:
            token = block(token, tokens)
        everything = self.norm(torch.cat((token, tokens), 2).squeeze(-1).transpose(1, 2))
        return self.linear(everything[:, 0]), self.aux_head(everything[:, 1:])

    def forward(self, x: Tensor) -> Any:
        """Return the class logits in training, else what `Classify` returns."""
        classes, pixels = self.logits(x)
        if self.training:
            return (classes, pixels) if self.dense else classes
        both = classes + 0.5 * pixels.amax(1)
        probabilities = both.softmax(1)
        return probabilities if self.export else (probabilities, both)
