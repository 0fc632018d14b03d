"""Models whose output depends on the picture and on every block; without that, two equal outputs prove nothing.

A network with random weights gives nearly the same boxes for every picture: its batch norms have never seen a signal.
Here they measure one, and `assert_sees` shows what a comparison of outputs would notice.
"""

from __future__ import annotations

import cv2
import torch
from torch import Tensor, nn
from ultralytics.utils import ASSETS

from tests.tolerances import EXPORTED, distance
from yolo_cot.commands.verify.sight import MOVED, TIMES, WRONG, blocks_of, measure, wrong


def picture(height: int, width: int) -> Tensor:
    """A photograph as a network input, (1, 3, height, width), values from 0 to 1, contiguous as NCNN needs it."""
    image = cv2.resize(cv2.imread(str(ASSETS / "bus.jpg")), (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].contiguous().float() / 255


def open_gates(model: nn.Module) -> nn.Module:
    """Draw the gates and batch norm away from where they start, so that nothing is hidden from a comparison."""
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            nn.init.uniform_(parameter, 0.5, 1.0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.25, 0.75)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return model


def live(model: nn.Module, height: int = 96, width: int = 160) -> nn.Module:
    """Open the gates, let batch norm measure a signal, assert that the model sees; leaves it in evaluation mode."""
    open_gates(model)
    x = picture(height, width).to(next(model.parameters()))
    measure(model, torch.cat([x, torch.rand_like(x), x.flip(3), 1 - x]))
    assert_sees(model, x)
    return model


def output(model: nn.Module, x: Tensor) -> Tensor:
    """What a model gives in evaluation, as one tensor: boxes and scores, or probabilities."""
    with torch.no_grad():
        found = model(x)
    while isinstance(found, (list, tuple)):
        found = found[0]
    return found


def assert_sees(model: nn.Module, x: Tensor, tolerance: float = EXPORTED) -> None:
    """Assert that another picture moves the output, and that each of our blocks that is 10 % wrong does so too.

    Args:
        model: in evaluation mode.
        x: the picture that outputs are compared on.
        tolerance: of the comparison; a wrong block must move the output by five times as much.
    """
    wanted = output(model, x)
    moved = distance(output(model, torch.rand_like(x)), wanted)
    assert moved > MOVED, f"noise in the place of the picture moves the output by {moved:.1e} only"
    for block in blocks_of(model):
        with wrong(block, WRONG):
            moved = distance(output(model, x), wanted)
        assert moved > TIMES * tolerance, f"a wrong {block.__name__} moves the output by {moved:.1e} only"
