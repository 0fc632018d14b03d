"""`taps_of` with leave to overwrite the logits: the same taps and derivatives, in the memory of the logits."""

from __future__ import annotations

import math

import pytest
import torch

from tests.tolerances import PARITY, distance
from yolo_cot.ops.outlook import taps_of

CASES = [(3, 1, 2, (3, 4)), (3, 1, 1, (1, 1)), (3, 2, 1, (3, 5)), (3, 4, 2, (2, 1)), (5, 3, 1, (2, 2))]
CASES += [(1, 2, 3, (2, 3))]


def logits_for(k, heads, size, dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(2, heads * k**4, *size, dtype=dtype, requires_grad=True)


def taps(logits, heads, k, s, overwrite):
    """Of a copy of the logits, as a layer would have made them; phases that no window covers are left out."""
    return [phase for phase in taps_of(logits.clone(), heads, k, s, 0.0, overwrite) if phase.numel()]


@pytest.mark.parametrize("k, s, heads, size", CASES)
def test_values_and_derivatives_are_those_of_the_form_that_overwrites_nothing(k, s, heads, size):
    found = []
    for overwrite in (True, False):
        logits = logits_for(k, heads, size)
        torch.manual_seed(1)
        phases = taps(logits, heads, k, s, overwrite)
        seeds = [torch.linspace(-1, 1, p.numel(), dtype=p.dtype).view_as(p).requires_grad_() for p in phases]
        (plain,) = torch.autograd.grad(phases, logits, seeds, retain_graph=True)
        (again,) = torch.autograd.grad(phases, logits, seeds, create_graph=True)
        second = torch.autograd.grad(again, [logits, *seeds], torch.randn_like(again))
        found.append([*phases, plain, again, *second])
    assert all(distance(got, wanted) < PARITY for got, wanted in zip(*found, strict=True))


@pytest.mark.parametrize("s", [1, 2])
def test_second_derivatives_pass_gradgradcheck(s):
    assert torch.autograd.gradgradcheck(
        lambda x: tuple(taps(x, 1, 3, s, True)), logits_for(3, 1, (2, 1)), fast_mode=True
    )


def test_a_second_backward_pass_finds_what_the_first_one_found():
    logits = logits_for(3, 2, (4, 3))
    (phase,) = taps(logits, 2, 3, 1, True)
    seed = torch.randn_like(phase)
    first, second = (torch.autograd.grad(phase, logits, seed, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_attention_that_vanishes_has_finite_derivatives_of_both_orders():
    """exp underflows to 0 for most entries, whose logarithm is an infinity."""
    logits = (logits_for(3, 1, (3, 3)) * 2000).detach().requires_grad_()
    (phase,) = taps(logits, 1, 3, 1, True)
    assert (phase == 0).any()
    (grad,) = torch.autograd.grad(phase.square().sum(), logits, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum(), logits)
    assert grad.isfinite().all()
    assert second.isfinite().all()


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("dtype, taken", [(torch.float32, True), (torch.bfloat16, False)])
def test_the_attention_takes_the_memory_of_the_logits_where_the_type_allows(grad, dtype, taken):
    logits = logits_for(3, 1, (4, 4), dtype).detach().requires_grad_(grad) * 1
    before = logits.detach().clone()
    taps_of(logits, 1, 3, 1, 0.0, True)
    sums = logits.detach().view(2, 9, 9, 16).sum(2)
    assert torch.allclose(sums, torch.ones_like(sums)) is taken
    assert torch.equal(logits, before) is not taken


def test_who_still_needs_the_logits_is_told():
    """Autograd notices: nothing computed before from the logits gets a wrong gradient without a word."""
    source = logits_for(3, 1, (4, 4))
    logits = source * 1
    other = logits.square().sum()
    taps_of(logits, 1, 3, 1, 0.0, True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        other.backward()


def test_leave_is_not_taken_with_dropout():
    logits = logits_for(3, 1, (4, 4)) * 1
    before = logits.detach().clone()
    taps_of(logits, 1, 3, 1, 0.5, True)
    assert torch.equal(logits, before)
    assert math.isfinite(taps_of(logits, 1, 3, 1, 0.5, True)[0].sum().item())
