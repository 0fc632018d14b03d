"""The Contextual Transformer block of the paper.

Source: CoTNet, "Contextual Transformer Networks for Visual Recognition", arXiv 2107.12292, section 3.2 and table 1.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from ..ops.local_mix import local_mix
from ..ops.route import route
from . import checks
from .conv import as_made, frozen
from .gate import GatedBlock
from .published_keys import AuthorsKeys
from .split_attention import RadixFusion

FUSIONS = ("static", "dynamic", "linear", "attention")


class LocalMix(nn.Module):
    """Sum every pixel's k x k neighbours with that pixel's own weights; channel c has the weights of c % groups.

    Shape: values (B, C, H, W), weights (B, groups * k * k, H, W) -> (B, C, H, W).
    """

    def __init__(self, kernel_size: int, splits: int = 1):
        super().__init__()
        self.kernel_size, self.splits = kernel_size, splits

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        """Return the mixed values; with `splits` parts of channels, each has its part of the groups."""
        weights = weights.to(values.dtype)
        if self.splits == 1:
            return local_mix(values, weights, self.kernel_size, interleaved=True)
        pairs = zip(values.chunk(self.splits, 1), weights.chunk(self.splits, 1))
        return torch.cat([local_mix(v, w, self.kernel_size, interleaved=True) for v, w in pairs], 1)

    def macs(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Multiply-adds: one for each neighbour and value."""
        return self.kernel_size**2 * output.numel()


class TapNorm(nn.GroupNorm):
    """Group norm of the mix's weights, one group for each set of k * k taps.

    Shape: (B, groups * k * k, H, W) -> the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise.

        In exported graphs each group is one row: PyTorch's own norm becomes BROADCAST_TO there, which phones' and
        integers' runtimes may not know.
        """
        if route() != "exported":
            return super().forward(x)
        rows = x.reshape(x.shape[0], self.num_groups, 1, -1)
        centred = rows - rows.mean(3, keepdim=True)
        normal = centred * (centred.square().mean(3, keepdim=True) + self.eps).rsqrt()
        return normal.reshape(x.shape) * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class ContextEmbed(nn.Module):
    """1x1 convolution of input and keys, batch norm and ReLU.

    Shape: (B, 2 * c1, H, W) -> (B, c2, H, W). Weight (c2, 2 * c1 / groups, 1, 1), as the authors': the columns
    of one group are x then keys, those of several groups take x and keys in turn.
    """

    def __init__(self, c1: int, c2: int, groups: int):
        super().__init__()
        self.conv = nn.Conv2d(2 * c1, c2, 1, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(c2)

    def weights_of_each(self) -> tuple[Tensor, Tensor]:
        """The weights of x and those of the keys, each (c2, c1 / groups, 1, 1)."""
        weight = self.conv.weight
        if self.conv.groups > 1:
            return weight[:, 0::2], weight[:, 1::2]
        on_input, on_keys = weight.chunk(2, 1)
        return on_input, on_keys

    def forward(self, both: Tensor) -> Tensor:
        """Return the hidden maps of input and keys, which stand side by side or, for several groups, in turn."""
        return self.norm(self.conv(both)).relu()


def side_by_side(x: Tensor, keys: Tensor, groups: int) -> Tensor:
    """Input and keys as `ContextEmbed` takes them, (B, 2 * c1, H, W)."""
    if groups == 1:
        return torch.cat((x, keys), 1)
    b, c, h, w = x.shape
    return torch.cat((x.reshape(b, c, 1, h * w), keys.reshape(b, c, 1, h * w)), 2).reshape(b, 2 * c, h, w)


class CoTBlock(AuthorsKeys, GatedBlock):
    """The Contextual Transformer block: a static k x k context and a dynamic one, fused by channel attention.

    Source: CoTNet, arXiv 2107.12292, section 3.2, figure 2(b), as its authors run it; their weights load.
    Differs from it: the aggregation is `yolo_cot.ops.local_mix`, without CuPy; a last batch of one image does not stop
    a training. Values and gradients are the same.

    Args:
        c1: channels in and out, a multiple of 8.
        kernel_size: side k of the static context and of the neighbourhood that is aggregated, odd.
        factor: the attention's hidden width is c1 // factor.
        share: channels that share one set of weights (their number of sets is c1 // share).
        reduction: the hidden width of the fusion is 2 * c1 // reduction, at least 32.
        fusion: what is given out (the paper's table 5): `static`, `dynamic`, `linear` (their sum) or `attention`, the
            full block. What is not needed is not built.
        gate: None, or the start value of `gamma` in x + gamma * block(x).

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W.
    """

    authors_keys: ClassVar[dict[str, str]] = {
        "key_embed.0.": "key_embed.conv.",
        "key_embed.1.": "key_embed.bn.",
        "embed.0.": "hidden.conv.",
        "embed.1.": "hidden.norm.",
        "embed.3.": "weights.",
        "embed.4.": "weight_norm.",
        "conv1x1.0.": "values.conv.",
        "conv1x1.1.": "values.bn.",
        "bn.": "norm.",
        "se.": "fusion.",
    }
    # Groups of the convolutions of values and attention, and of the static context's.
    groups: ClassVar[int] = 1
    key_groups: ClassVar[int] = 4

    def __init__(
        self,
        c1: int,
        kernel_size: int = 3,
        factor: int = 2,
        share: int = 8,
        reduction: int = 4,
        fusion: str = "attention",
        gate: float | None = None,
    ):
        super().__init__(c1, gate)
        name = type(self).__name__
        self.kernel_size = checks.odd(name, "kernel_size", kernel_size)
        self.contexts = checks.one_of(name, "fusion", fusion, FUSIONS)
        share, factor = checks.whole(name, "share", share), checks.whole(name, "factor", factor)
        multiple = math.lcm(self.key_groups, self.groups * share, self.groups * factor)
        if c1 % multiple:
            low = c1 // multiple * multiple
            raise ValueError(
                f"{name} needs c1 divisible by {multiple}, for its groups; got c1={c1}. "
                f"Use {f'{low} or ' if low else ''}{low + multiple}."
            )
        self.key_embed = Conv(c1, c1, kernel_size, g=self.key_groups, act=nn.ReLU())
        if fusion == "static":
            return
        weights = kernel_size**2 * (c1 // share)
        self.hidden = ContextEmbed(c1, c1 // factor, self.groups)
        self.weights = nn.Conv2d(c1 // factor, weights, 1, groups=self.groups)
        self.weight_norm = TapNorm(c1 // share, weights)
        self.values = Conv(c1, c1, 1, g=self.groups, act=False)
        self.mix = LocalMix(kernel_size, self.groups)
        self.norm = nn.BatchNorm2d(c1)
        if fusion == "attention":
            self.fusion = RadixFusion(c1, checks.whole(name, "reduction", reduction))

    def attend(self, x: Tensor) -> Tensor:
        """Fuse the static and the dynamic context."""
        keys = self.key_embed(x)
        if self.contexts == "static":
            return keys
        dynamic = self.dynamic(x, keys)
        if self.contexts == "attention":
            return self.fusion(dynamic, keys)
        return dynamic if self.contexts == "dynamic" else dynamic + keys

    def dynamic(self, x: Tensor, keys: Tensor) -> Tensor:
        """The dynamic context: values mixed by weights that input and keys give, (B, c1, H, W)."""
        if self.fused:
            values, hidden = self.from_input(x), (self.hidden_of_input(x) + self.hidden_of_keys(keys)).relu()
            return F.silu(self.mix(values, self.weight_norm(self.weights(hidden))) + self.shift)
        weights = self.weight_norm(self.weights(self.hidden(side_by_side(x, keys, self.groups))))
        return F.silu(self.norm(self.mix(self.values(x), weights)))

    @property
    def fused(self) -> bool:
        """Whether `fuse` has been called."""
        return self.contexts != "static" and not hasattr(self, "norm")

    @torch.no_grad()
    def fuse(self) -> None:
        """Fold every batch norm, that behind the mix too.

        The mix is linear in each channel's values, so the norm's scale goes into the value convolution and only its
        shift is left.
        """
        if self.contexts == "static" or self.fused or hasattr(self.key_embed, "bn"):
            return
        outer = (self.hidden, ContextEmbed), (self.values, Conv), (self.norm, nn.BatchNorm2d), (self.mix, LocalMix)
        if not as_made(*outer) or not as_made(
            *((conv, nn.Conv2d) for conv in (self.hidden.conv, self.values.conv)),
            *((self.hidden.norm, nn.BatchNorm2d), (self.values.act, nn.Identity)),
        ):
            return
        scale, shift = _scale_and_shift(self.norm)
        self.register_buffer("shift", shift)
        values = self.values.conv
        self.from_input = frozen(values.weight * scale, values.bias * scale.flatten(), self.groups)
        scale, shift = _scale_and_shift(self.hidden.norm)
        on_input, on_keys = self.hidden.weights_of_each()
        self.hidden_of_input = frozen(on_input * scale, shift.flatten(), self.groups)
        self.hidden_of_keys = frozen(on_keys * scale, None, self.groups)
        del self.values, self.hidden, self.norm


class CoXtBlock(CoTBlock):
    """CoTBlock with its convolutions in groups, two for values and attention, as CoTNeXt has it.

    Source: CoTNet, arXiv 2107.12292, section 3.3 and table 2, as its authors run it; their weights load.
    Differs from it: as `CoTBlock` does.

    Args:
        c1: channels in and out, a multiple of 16.
        kernel_size: side k of the static context and of the neighbourhood that is aggregated, odd.
        factor: the attention's hidden width is c1 // factor.
        share: channels that share one set of weights (their number of sets is c1 // share).
        reduction: the hidden width of the fusion is 2 * c1 // reduction, at least 32.
        fusion: what is given out: `static`, `dynamic`, `linear` (their sum) or `attention`, the full block.
        gate: None, or the start value of `gamma` in x + gamma * block(x).

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W.
    """

    groups: ClassVar[int] = 2
    key_groups: ClassVar[int] = 8


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What batch norm does at inference, as scale (C, 1, 1, 1) and shift (C, 1, 1)."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale.view(-1, 1, 1, 1), (norm.bias - norm.running_mean * scale).detach().view(-1, 1, 1)
