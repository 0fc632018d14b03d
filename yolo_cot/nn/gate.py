"""The optional gate around a block: x + gamma * block(x), so that an inserted block can start as the identity."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..ops.route import route
from . import checks


class GatedBlock(nn.Module):
    """Base of the blocks that keep the shape of their input: `attend` is the block, the gate is added here.

    Source: the per-channel residual scale is LayerScale (CaiT, arXiv 2103.17239, section 2).
    Differs from it: any start value, 0 by convention, which leaves a pretrained network's function untouched at step 0.

    Args:
        c1: channels.
        gate: None returns `attend(x)`; a number returns `x + gamma * attend(x)` with the learnable `gamma`, of shape
            (c1,), starting at that number.
    """

    gamma: nn.Parameter | None
    # Whether a deployed block may be faster image by image; measured.
    splits: ClassVar[bool] = True
    # Values in one image's map from which on a deployed block takes a batch image by image on a CPU; measured.
    large: ClassVar[int] = 1 << 18

    def __init__(self, c1: int, gate: float | None):
        super().__init__()
        name = type(self).__name__
        self.c1 = checks.whole(name, "c1", c1)
        if gate is None:
            self.register_parameter("gamma", None)
        else:
            self.gamma = nn.Parameter(torch.full((c1,), checks.number(name, "gate", gate)))

    @property
    def title(self) -> str:
        """What tables and plots call the block."""
        return type(self).__name__

    @property
    def fused(self) -> bool:
        """Whether `fuse` has been called."""
        return False

    def attend(self, x: Tensor) -> Tensor:
        """Compute the block itself, (B, c1, H, W) -> (B, c1, H, W)."""
        raise NotImplementedError(f"{type(self).__name__} needs an `attend` method.")

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, behind the gate if there is one."""
        if self.splits and self.fused and self._worth_splitting(x):
            y = torch.empty_like(x)
            for image, place in zip(x.split(1), y.split(1)):
                place.copy_(self.attend(image))
        else:
            y = self.attend(x)
        return y if self.gamma is None else x + self.gamma.view(-1, 1, 1) * y

    def _worth_splitting(self, x: Tensor) -> bool:
        """Whether large maps of a batch would push each other out of the cache."""
        large = x.device.type == "cpu" and x.shape[0] > 1 and x[0].numel() >= self.large
        return large and not torch.is_grad_enabled() and route() == "eager"

    def fuse(self) -> None:
        """Fold what is constant at inference. `model.fuse()` calls it after batch norm has been folded."""


class Gated(GatedBlock):
    """Any module that keeps the shape of its input, behind a gate.

    Args:
        c1: channels.
        block: the module.
        gate: None returns `block(x)`; a number returns `x + gamma * block(x)`, as `GatedBlock` does.

    Shape: (B, c1, H, W) -> (B, c1, H, W), any H and W that the module takes.
    """

    splits = False

    def __init__(self, c1: int, block: nn.Module, gate: float | None = None):
        super().__init__(c1, gate)
        self.block = block

    @property
    def title(self) -> str:
        """What tables and plots call the block."""
        return type(self.block).__name__

    def attend(self, x: Tensor) -> Tensor:
        """Compute the module."""
        return self.block(x)
