"""`torch.compile` of the blocks: one graph without breaks, with the values and gradients of eager mode."""

from __future__ import annotations

import copy
import platform
import shutil

import pytest
import torch
from torch import Tensor, nn

from yolo_cot.nn import C3k2CoT, C3k2Outlook, CoTAttention, OutlookAttention

# Values and gradients are compared in float64, where another order of the same sums moves only the last digits.
CLOSE = {"rtol": 1e-9, "atol": 1e-11}
BLOCKS = {
    "CoTAttention": (lambda: CoTAttention(32), 32),
    "CoTAttention, gated": (lambda: CoTAttention(32, gate=0.5), 32),
    "OutlookAttention": (lambda: OutlookAttention(64), 64),
    "OutlookAttention, stride 2": (lambda: OutlookAttention(32, stride=2), 32),
    "C3k2CoT": (lambda: C3k2CoT(32, 64), 32),
    "C3k2Outlook": (lambda: C3k2Outlook(64, 64), 64),
}


@pytest.fixture(autouse=True)
def _fresh():
    """No graph of an earlier test is reused."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def build(name: str) -> tuple[nn.Module, Tensor]:
    make, channels = BLOCKS[name]
    return make().double(), torch.randn(2, channels, 7, 6, dtype=torch.float64)


def run(block: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The output and the gradient of everything that has one."""
    x = x.clone().requires_grad_()
    out = block(x)
    assert x.grad is None
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    gradients = {name.removeprefix("_orig_mod."): p.grad for name, p in block.named_parameters()}
    return {"output": out.detach(), "input": x.grad} | gradients


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", BLOCKS)
def test_one_graph_gives_the_values_and_gradients_of_eager(name, training):
    block, x = build(name)
    block.train(training)
    expected = run(copy.deepcopy(block), x)
    compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
    found = run(compiled, x)
    assert found.keys() == expected.keys()
    assert all(gradient is not None for gradient in found.values())
    torch.testing.assert_close(found, expected, **CLOSE)
