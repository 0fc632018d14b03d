"""Whether two outputs that are equal prove anything: models whose output depends on the picture and on every block.

A network with random weights gives nearly the same boxes for every picture, for its batch norms have never seen a
signal, and a block behind a gate that is shut gives nothing: whatever a format did to it, no comparison would notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...plugin.catalog import BLOCKS

MOVED = 0.05  # what noise in the place of the picture must move the output by, at least
WRONG = 1.1  # a block that is 10 % wrong
TIMES = 5  # and must move the output by so many times the tolerance


def awaken(model: nn.Module, pictures: Tensor) -> nn.Module:
    """Open the gates of an untrained model and let it measure a signal; returns it in evaluation mode.

    Args:
        model: the model; its gates and batch norms are drawn anew.
        pictures: at least four.
    """
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            nn.init.uniform_(parameter, 0.5, 1.0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.25, 0.75)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return measure(model, pictures)


def measure(model: nn.Module, pictures: Tensor) -> nn.Module:
    """Let batch norm measure the statistics of some pictures; returns the model in evaluation mode.

    A pass in training mode normalizes by the statistics of its own batch, so one pass with a momentum of 1 leaves
    exactly those. Of fewer than four pictures, or of small ones, some channels of pooled and of deep maps would have
    next to no variance, and then rounding errors grow in evaluation.
    """
    norms = {module: module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm2d)}
    for norm in norms:
        norm.momentum = 1.0
    last: Any = model.model[-1]  # type: ignore[index]
    with torch.no_grad():
        model.train()(pictures)
        for norm, momentum in norms.items():
            norm.momentum = momentum
        for module in last.modules():
            # A head starts with scores near 0, which nothing moves.
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                module.bias.clamp_(min=-2)
        if isinstance(linear := list(model.eval().modules())[-1], nn.Linear):
            # Probabilities of a network that is sure of one class say nothing of the others.
            linear.weight /= model(pictures[:1])[1].std()
    return model


def blocks_of(model: nn.Module) -> list[type[nn.Module]]:
    """The classes of our blocks in a model, without those that only hold others in a stock class's `forward`."""
    ours = {block.cls for block in BLOCKS.values()}
    found = {type(m) for m in model.modules() if type(m) in ours}
    return sorted((c for c in found if not c.forward.__module__.startswith("ultralytics")), key=lambda c: c.__name__)


@contextmanager
def wrong(block: type[nn.Module], factor: float) -> Iterator[None]:
    """While it lasts, what every block of a class computes is `factor` times as large; a gate stays as it is."""
    right, own = block.forward, "forward" in vars(block)

    def forward(self: nn.Module, x: Tensor):
        y = right(self, x)
        if getattr(self, "gamma", None) is not None:
            return x + factor * (y - x)
        return [factor * y[0], *y[1:]] if isinstance(y, (list, tuple)) else factor * y

    block.forward = forward
    try:
        yield
    finally:
        if own:
            block.forward = right
        else:
            del block.forward


def unseen(model: nn.Module, distance: Callable[[Tensor], float], picture: Tensor, tolerance: float) -> list[str]:
    """What a comparison of outputs would not notice, each in a sentence.

    Args:
        model: in evaluation mode.
        distance: how far the output for a picture is from that for `picture`.
        picture: the picture that outputs are compared on.
        tolerance: of the comparison.
    """
    found = []
    if (moved := distance(torch.rand_like(picture))) < MOVED:
        found.append(f"Noise in the place of the picture moves the output by {moved:.0e} only; train the model first.")
    for block in blocks_of(model):
        with wrong(block, WRONG):
            moved = distance(picture)
        if moved < TIMES * tolerance:
            name = block.__name__
            found.append(f"A {name} that is 10 % wrong moves the output by {moved:.0e} only, which no row would show.")
    return found
