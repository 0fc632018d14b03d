"""The block that attention has to beat: a plain convolution in the same place, behind the same gate."""

from __future__ import annotations

from torch import Tensor
from ultralytics.nn.modules import Conv

from . import checks
from .gate import GatedBlock


class GatedConv(GatedBlock):
    """A k x k convolution with batch norm and SiLU, behind the gate that the attention blocks have.

    Put it where an attention block stands and train both: what the attention block gives beyond this one is not owed
    to more layers, more parameters or the gate.

    Source: `Conv` of Ultralytics; the gate is LayerScale (CaiT, arXiv 2103.17239, section 2).
    Differs from `Conv`: keeps the channels and the size of its input, and can stand behind a gate.

    Args:
        c1: channels in and out.
        kernel_size: side k of the convolution, odd.
        gate: None, or the start value of `gamma` in x + gamma * block(x).

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W.
    """

    def __init__(self, c1: int, kernel_size: int = 3, gate: float | None = None):
        super().__init__(c1, gate)
        self.conv = Conv(c1, c1, checks.odd("GatedConv", "kernel_size", kernel_size))

    def attend(self, x: Tensor) -> Tensor:
        """Convolve."""
        return self.conv(x)
