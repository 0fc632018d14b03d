"""CSP hosts: C3k2 with our attention in its bottlenecks, so that a YAML swaps C3k2 by changing one word.

Source of the host: YOLO11's C3k2. As CoTNet does to ResNet (arXiv 2107.12292, section 3.3), the 3x3 convolution of the
bottleneck gives its place to the block; in YOLO's bottleneck of two 3x3 convolutions it is the second one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn
from ultralytics.nn.modules import C3k2, Conv
from ultralytics.nn.modules.block import Bottleneck

from .cot import CoTAttention
from .cot_block import CoTBlock
from .outlook import OutlookAttention


class _C3k2Host(C3k2):
    """C3k2 in which `make(channels)` stands for the second convolution of every bottleneck.

    The block keeps its channels. Where that convolution changes them (C3k2's own bottleneck narrows by half, C3k's
    does not), a 1x1 convolution follows the block.
    """

    def __init__(self, c1, c2, n, c3k, e, attn, g, shortcut, make: Callable[[int], nn.Module]):
        # Releases of Ultralytics before 8.4 have no `attn`; it is passed on only when asked for.
        extra = {"attn": True} if attn else {}
        if g != 1:
            raise ValueError(
                f"{type(self).__name__} needs g=1, for the convolution with groups is replaced; got g={g}."
            )
        super().__init__(c1, c2, n, c3k, e, shortcut=shortcut, **extra)
        for bottleneck in [m for m in self.m.modules() if type(m) is Bottleneck]:
            replaced = bottleneck.cv2.conv
            block = make(replaced.in_channels)
            if replaced.in_channels != replaced.out_channels:
                block = nn.Sequential(block, Conv(replaced.in_channels, replaced.out_channels, 1))
            bottleneck.cv2 = block


class C3k2CoT(_C3k2Host):
    """C3k2 whose bottlenecks' second 3x3 convolution is a `CoTAttention`.

    Source: C3k2 of YOLO11; `CoTAttention` in this package.
    Differs from C3k2: only in `m.*.cv2` of its bottlenecks, which is the block, followed by a 1x1 convolution where the
    bottleneck changes its width; every other tensor keeps name and shape.

    Args:
        c1: channels in.
        c2: channels out.
        n: bottlenecks.
        c3k: whether each is a C3k of two bottlenecks.
        e: ratio of the hidden width to c2.
        attn: whether a PSA block follows each bottleneck (Ultralytics 8.4 and later).
        g: groups of the bottlenecks' convolutions; must be 1, for the one that has groups is replaced.
        shortcut: whether the bottlenecks add their input.
        kernel_size: side of CoTAttention's window, odd.

    Shape: (B, c1, H, W) -> (B, c2, H, W).
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        c3k: bool = False,
        e: float = 0.5,
        attn: bool = False,
        g: int = 1,
        shortcut: bool = True,
        kernel_size: int = 3,
    ):
        super().__init__(c1, c2, n, c3k, e, attn, g, shortcut, lambda c: CoTAttention(c, kernel_size))


class C3k2CoTBlock(_C3k2Host):
    """C3k2 whose bottlenecks' second 3x3 convolution is a `CoTBlock`, the block of the paper.

    Eight channels share a set of weights, or four, two or one where the bottleneck's width is no multiple of eight.

    Source: C3k2 of YOLO11; `CoTBlock` in this package, put where CoTNet (arXiv 2107.12292, section 3.3) puts it in
    ResNet.
    Differs from C3k2: only in `m.*.cv2` of its bottlenecks, which is the block, followed by a 1x1 convolution where the
    bottleneck changes its width; every other tensor keeps name and shape.

    Args:
        c1: channels in.
        c2: channels out.
        n: bottlenecks.
        c3k: whether each is a C3k of two bottlenecks.
        e: ratio of the hidden width to c2.
        attn: whether a PSA block follows each bottleneck (Ultralytics 8.4 and later).
        g: groups of the bottlenecks' convolutions; must be 1, for the one that has groups is replaced.
        shortcut: whether the bottlenecks add their input.
        kernel_size: side of CoTBlock's window, odd.
        fusion: what CoTBlock gives out: `static`, `dynamic`, `linear` or `attention`.

    Shape: (B, c1, H, W) -> (B, c2, H, W).
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        c3k: bool = False,
        e: float = 0.5,
        attn: bool = False,
        g: int = 1,
        shortcut: bool = True,
        kernel_size: int = 3,
        fusion: str = "attention",
    ):
        def make(c: int) -> nn.Module:
            return CoTBlock(c, kernel_size, share=math.gcd(8, c), fusion=fusion)

        super().__init__(c1, c2, n, c3k, e, attn, g, shortcut, make)


class C3k2Outlook(_C3k2Host):
    """C3k2 whose bottlenecks' second 3x3 convolution is an `OutlookAttention`.

    Source: C3k2 of YOLO11; `OutlookAttention` in this package.
    Differs from C3k2: only in `m.*.cv2` of its bottlenecks, which is the block, followed by a 1x1 convolution where the
    bottleneck changes its width; every other tensor keeps name and shape.

    Args:
        c1: channels in.
        c2: channels out.
        n: bottlenecks.
        c3k: whether each is a C3k of two bottlenecks.
        e: ratio of the hidden width to c2.
        attn: whether a PSA block follows each bottleneck (Ultralytics 8.4 and later).
        g: groups of the bottlenecks' convolutions; must be 1, for the one that has groups is replaced.
        shortcut: whether the bottlenecks add their input.
        num_heads: attention heads; None takes the largest number of heads of at least 32 channels.
        kernel_size: side of the window, odd.

    Shape: (B, c1, H, W) -> (B, c2, H, W).
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        c3k: bool = False,
        e: float = 0.5,
        attn: bool = False,
        g: int = 1,
        shortcut: bool = True,
        num_heads: int | None = None,
        kernel_size: int = 3,
    ):
        def make(c: int) -> nn.Module:
            return OutlookAttention(c, num_heads, kernel_size, kernel_size // 2)

        super().__init__(c1, c2, n, c3k, e, attn, g, shortcut, make)
