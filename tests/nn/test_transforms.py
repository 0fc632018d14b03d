"""Derivatives of every kind: `torch.func`'s transforms, forward mode and their mixtures, on every block."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacrev, jvp, vmap

from tests.contract import build
from tests.tolerances import PARITY, distance
from yolo_cot.nn import CoTAttention, OutlookAttention
from yolo_cot.plugin.catalog import INSERTABLE


def case(name: str, batch: int = 2):
    """A block, an input, and a direction in which the input moves."""
    block = build(name, 16).double().eval()
    x, t = torch.randn(2, batch, 16, 4, 3, dtype=torch.float64)
    return block, x, t


@pytest.mark.parametrize("name", INSERTABLE)
def test_func_gives_the_gradients_of_autograd(name):
    block, x, _ = case(name)
    leaf = x.clone().requires_grad_()
    y = block(leaf)
    (y * y.detach().cos()).sum().backward()
    seed = block(x).detach().cos()
    assert distance(grad(lambda x: (block(x) * seed).sum())(x), leaf.grad) < PARITY * 100
    parameters = {key: p.detach() for key, p in block.named_parameters()}
    found = grad(lambda p: (functional_call(block, p, (x,)) * seed).sum())(parameters)
    assert all(
        distance(found[k], p.grad) < PARITY * 1000 for k, p in block.named_parameters() if p.grad.abs().max() > 1e-9
    )


@pytest.mark.parametrize("name", INSERTABLE)
def test_forward_mode_gives_the_difference_quotient(name):
    block, x, t = case(name)
    with torch.no_grad():
        wanted = (block(x + 1e-6 * t) - block(x - 1e-6 * t)) / 2e-6
    assert distance(jvp(block, (x,), (t,))[1], wanted) < 1e-6
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(block(forward_ad.make_dual(x, t))).tangent
    assert distance(tangent, wanted) < 1e-6


@pytest.mark.parametrize("name", INSERTABLE)
@pytest.mark.parametrize("fused", [False, True])
def test_vmap_is_a_loop(name, fused):
    block, x, _ = case(name, 3)
    if fused:
        from tests.nn.test_submodules import fused as fold

        fold(block)
    with torch.no_grad():
        assert distance(vmap(block)(x[:, None]), torch.stack([block(image[None]) for image in x])) < PARITY


@pytest.mark.parametrize("cls", [CoTAttention, OutlookAttention])
def test_jacobians_and_hessians_are_computed(cls):
    block, x = cls(4).double().eval(), torch.randn(1, 4, 2, 2, dtype=torch.float64)
    wanted = torch.autograd.functional.jacobian(block, x)
    assert distance(jacrev(block)(x), wanted) < PARITY * 100
    second = torch.autograd.functional.hessian(lambda x: block(x).square().sum(), x)
    assert distance(hessian(lambda x: block(x).square().sum())(x), second) < PARITY * 1000
