"""CoTNet and its kin: ResNet's stages with Contextual Transformer blocks in their bottlenecks.

Sources:
    CoTNet, arXiv 2107.12292, sections 3.3 and 4.1: CoTNet, CoTNeXt, SE-CoTNetD.
    ResNet-D: "Bag of Tricks", arXiv 1812.01187, for the deep stem and the pooled shortcut.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules import Classify, Conv

from . import checks
from .cot import CoTAttention
from .cot_block import CoTBlock, CoXtBlock
from .published_keys import AuthorsKeys, NormalisingStem
from .split_attention import SplitAttentionConv

LAYERS = ("cot", "coxt", "se", "mixed", "tutorial")


class CoTNetStem(NormalisingStem):
    """ResNet's stem: a 7x7 convolution with stride 2 and a 3x3 max pool with stride 2, or three 3x3 convolutions.

    Source: ResNet; the deep form is ResNet-D's (arXiv 1812.01187), without the pool as SE-CoTNetD's authors run it.
    Differs from it: can normalise the image; the authors' weights load.

    Args:
        c1: channels in.
        c2: channels out.
        deep: whether three 3x3 convolutions, of c2 / 2, c2 / 2 and c2 channels, stand for the 7x7 one and the pool.

    Shape: (B, c1, H, W) -> (B, c2, H / 4, W / 4), with `deep` (B, c2, H / 2, W / 2).
    """

    authors_keys: ClassVar[dict[str, str]] = {
        "conv1.weight": "convs.0.conv.weight",
        "conv1.0.": "convs.0.conv.",
        "conv1.1.": "convs.0.bn.",
        "conv1.3.": "convs.1.conv.",
        "conv1.4.": "convs.1.bn.",
        "conv1.6.": "convs.2.conv.",
    }

    def __init__(self, c1: int, c2: int, deep: bool = False):
        super().__init__(c1)
        if checks.flag("CoTNetStem", "deep", deep):
            if c2 % 2:
                raise ValueError(f"CoTNetStem needs an even c2 with deep=True; got c2={c2}. Use {c2 + 1}.")
            widths = [(c1, c2 // 2, 2), (c2 // 2, c2 // 2, 1), (c2 // 2, c2, 1)]
            convs = [Conv(a, b, 3, stride, act=nn.ReLU()) for a, b, stride in widths]
        else:
            convs = [Conv(c1, c2, 7, 2, act=nn.ReLU())]
        self.convs = nn.Sequential(*convs)
        self.pool = nn.Identity() if deep else nn.MaxPool2d(3, 2, 1)

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        # The last batch norm stands outside the authors' stem, as `bn1`.
        for key in [k for k in state_dict if k.startswith(f"{prefix}bn1.")]:
            state_dict[f"{prefix}convs.{len(self.convs) - 1}.bn.{key[len(prefix) + 4 :]}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the stem's map."""
        return self.pool(self.convs(self.normalised(x)))


class BlurPool2d(nn.Module):
    """Halve a map behind a 3x3 binomial filter.

    Source: "Making Convolutional Networks Shift-Invariant Again", arXiv 1904.11486, section 3, with reflection at the
    border. Differs from it: a map of one row or column, which cannot be reflected, is repeated.

    Shape: (B, C, H, W) -> (B, C, ceil(H / 2), ceil(W / 2)).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the filtered map at every second pixel: a mean over 2 x 2 pixels of such means."""
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect" if min(x.shape[2:]) > 1 else "replicate")
        return F.avg_pool2d(F.avg_pool2d(padded, 2, 1), 2, 2)


class CoTNetBottleneck(AuthorsKeys):
    """ResNet's bottleneck with an attention block in the place of its 3x3 convolution.

    Source: CoTNet, arXiv 2107.12292, section 3.3.
    Differs from it: nothing but names; the authors' weights load.

    Args:
        c1: channels in.
        c2: channels out.
        width: channels of the block.
        stride: 1, or 2 to halve the map, by a 3x3 average pool before the block (or by the stride of its convolution).
        layer: `cot` (CoTBlock), `coxt` (CoXtBlock), `se` (a 3x3 convolution with channel attention) or `tutorial`
            (CoTAttention without groups, batch norm, ReLU).
        pooled_shortcut: whether the shortcut halves the map by an average pool (ResNet-D) instead of a stride.
        blur: whether the map is halved behind the block, by a `BlurPool2d`.

    Shape: (B, c1, H, W) -> (B, c2, ceil(H / stride), ceil(W / stride)).
    """

    authors_keys: ClassVar[dict[str, str]] = {
        "conv1.": "cv1.conv.",
        "bn1.": "cv1.bn.",
        "conv2.": "block.",
        "conv3.": "cv2.conv.",
        "bn3.": "cv2.bn.",
    }

    def __init__(self, c1: int, c2: int, width: int, stride: int, layer: str, pooled_shortcut: bool, blur: bool):
        super().__init__()
        self.cv1 = Conv(c1, width, 1, act=nn.ReLU())
        strided = layer == "se" and not blur
        self.block = SplitAttentionConv(width, stride if strided else 1) if layer == "se" else _block(layer, width)
        self.cv2 = Conv(width, c2, 1, act=False)
        pools = stride > 1 and not strided
        self.pool_before = nn.AvgPool2d(3, stride, 1) if pools and not blur else nn.Identity()
        self.pool_after = BlurPool2d() if pools and blur else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if pooled_shortcut and (stride > 1 or c1 != c2):
            halve = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(halve, Conv(c1, c2, 1, act=False))
        elif stride > 1 or c1 != c2:
            self.shortcut = nn.Sequential(Conv(c1, c2, 1, stride, act=False))

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        # `downsample` holds convolution and batch norm as its last two entries.
        start = f"{prefix}downsample."
        first = len(self.shortcut) - 1 if isinstance(self.shortcut, nn.Sequential) else 0
        for key in [k for k in state_dict if k.startswith(start)]:
            index, name = key[len(start) :].split(".", 1)
            part = {first: "conv", first + 1: "bn"}.get(int(index), index)
            state_dict[f"{prefix}shortcut.{first}.{part}.{name}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the bottleneck's map."""
        y = self.pool_after(self.block(self.pool_before(self.cv1(x))))
        return (self.cv2(y) + self.shortcut(x)).relu()


def _block(layer: str, width: int) -> nn.Module:
    if layer == "cot":
        return CoTBlock(width)
    if layer == "coxt":
        return CoXtBlock(width)
    return nn.Sequential(CoTAttention(width, groups=1), nn.BatchNorm2d(width), nn.ReLU())


class CoTNetStage(nn.Module):
    """A stage of bottlenecks; the first one halves the map, if that is asked for, and changes the channels.

    Source: CoTNet, arXiv 2107.12292, tables 1 and 2; SE-CoTNetD in section 4.1.
    Differs from it: the authors' zero start of each bottleneck's last batch norm is left out, as are their drop-outs.

    Args:
        c1: channels in.
        c2: channels out.
        n: bottlenecks.
        stride: 1 or 2.
        layer: what stands in the bottlenecks: `cot`, `coxt`, `se`, `tutorial`, or `mixed`: CoT and SE in turn.
        e: ratio of the block's width to c2.
        pooled_shortcut: whether the first shortcut halves the map by an average pool (ResNet-D).
        blur: whether the first block halves the map by a `BlurPool2d` behind it (SE-CoTNetD-152).

    Shape: (B, c1, H, W) -> (B, c2, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        stride: int = 1,
        layer: str = "cot",
        e: float = 0.25,
        pooled_shortcut: bool = False,
        blur: bool = False,
    ):
        super().__init__()
        name = "CoTNetStage"
        checks.one_of(name, "layer", layer, LAYERS)
        if checks.whole(name, "stride", stride) > 2:
            raise ValueError(f"{name} needs stride 1 or 2; got {stride}.")
        width = int(c2 * checks.number(name, "e", e))
        options = (checks.flag(name, "pooled_shortcut", pooled_shortcut), checks.flag(name, "blur", blur))
        layers = [("se" if i % 2 else "cot") if layer == "mixed" else layer for i in range(checks.whole(name, "n", n))]
        self.m = nn.Sequential(
            *(
                CoTNetBottleneck(c2 if i else c1, c2, width, 1 if i else stride, kind, *options)
                for i, kind in enumerate(layers)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the stage's map."""
        return self.m(x)


class PooledClassify(Classify):
    """Classification head of a ResNet: the mean over the map and one linear layer.

    Source: ResNet; what it returns in training, evaluation and export is Ultralytics' `Classify`'s.
    Differs from `Classify`: no convolution to 1280 channels before the pool.

    Args:
        c1: channels in.
        c2: number of classes.
        dropout: drop-out probability before the linear layer.

    Shape: (B, c1, H, W) -> (B, c2).
    """

    def __init__(self, c1: int, c2: int, dropout: float = 0.0):
        nn.Module.__init__(self)
        self.conv = nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(checks.probability("PooledClassify", "dropout", dropout))
        self.linear = nn.Linear(c1, c2)
