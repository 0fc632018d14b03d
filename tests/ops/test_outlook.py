"""Outlook attention as a local mix against the published unfold - fold form, values and gradients."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from tests.tolerances import PARITY, distance
from yolo_cot.ops import local_mix, outlook, outlook_recorded, outlook_strided
from yolo_cot.ops.outlook import outlook_reference
from yolo_cot.ops.outlook_merge import merge

SIZES = [(1, 1), (1, 9), (2, 3), (7, 5), (8, 6)]


def inputs(k, s, size, heads=3, channels=12):
    coarse = [math.ceil(n / s) for n in size]
    v = torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(2, heads * k**4, *coarse, dtype=torch.float64, requires_grad=True)
    return v, logits


def values_and_gradients(function, tensors, *arguments):
    out = function(*tensors, *arguments)
    seed = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad(out, tensors, seed)]


@pytest.fixture(params=["eager", "recorded"])
def form(request, monkeypatch):
    """Both forms of every step: the one that runs eagerly and the one that exporters see."""
    if request.param == "recorded":
        for module in (local_mix, outlook):
            monkeypatch.setattr(module, "recording", lambda: True)
    return request.param


@pytest.mark.parametrize("k, s", [(1, 1), (3, 1), (5, 1), (1, 2), (3, 2), (5, 2), (3, 3), (3, 4)])
@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_match_the_published_form(form, k, s, size):
    tensors = inputs(k, s, size)
    got = values_and_gradients(outlook.outlook, tensors, 3, k, s)
    wanted = values_and_gradients(outlook_reference, tensors, 3, k, s)
    assert max(distance(g, w) for g, w in zip(got, wanted)) < PARITY


@pytest.mark.parametrize("to_onnx", [True, False])
@pytest.mark.parametrize("k, size", [*itertools.product([1, 3, 5], [*SIZES, (3, 21)]), (7, (3, 13))])
def test_the_reordered_recorded_form_matches_too(monkeypatch, k, size, to_onnx):
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: to_onnx)
    v, logits = inputs(k, 1, size)

    def reordered(v, logits):
        return outlook_recorded.outlook_recorded(v, logits[:, outlook_recorded.recorded_order(3, k)], 3, k)

    got = values_and_gradients(reordered, (v, logits))
    wanted = values_and_gradients(outlook_reference, (v, logits), 3, k)
    assert max(distance(g, w) for g, w in zip(got, wanted)) < PARITY


@pytest.mark.parametrize("k, s", [(1, 1), (3, 1), (1, 2), (3, 2), (5, 2), (3, 3), (3, 4)])
@pytest.mark.parametrize("size", SIZES)
def test_the_exported_strided_form_matches_too(k, s, size):
    tensors = inputs(k, s, size)
    got = values_and_gradients(outlook_strided.outlook_strided, tensors, 3, k, s)
    wanted = values_and_gradients(outlook_reference, tensors, 3, k, s)
    assert max(distance(g, w) for g, w in zip(got, wanted)) < PARITY


def test_equal_logits_give_the_mean_of_the_windows_counted_by_hand():
    # One pixel and a 3 x 3 window: 9 equal weights, eight of them on zeros; only the centre is kept.
    v, logits = torch.full((1, 1, 1, 1), 18.0), torch.zeros(1, 81, 1, 1)
    assert outlook.outlook(v, logits, 1, 3).item() == pytest.approx(2.0)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_taps_of_a_pixel_add_up_to_the_windows_that_cover_it(stride):
    k, heads = 3, 2
    attention = torch.rand(1, heads * k * k, k * k, 36, dtype=torch.float64).softmax(2).reshape(1, -1, 6, 6)
    phases = merge(attention, heads, k, stride)
    assert len(phases) == stride**2
    inner = [p.view(heads, -1, 6, 6).sum(1)[:, 2:4, 2:4] for p in phases]
    # Every window writes a mix of weight 1 to each of its 9 positions, so a pixel gets one per covering window.
    covering = [9] if stride == 1 else [1, 2, 2, 4]
    for taps, windows in zip(inner, covering):
        assert torch.allclose(taps, torch.full_like(taps, windows))


def test_attention_far_beyond_the_range_of_exp_stays_finite(form):
    v, logits = (t.detach().float() for t in inputs(3, 1, (6, 6)))
    out = outlook.outlook(v, logits * 1e4, 3, 3)
    assert out.isfinite().all()


def test_dropout_keeps_the_expectation_and_drops_entries():
    v, logits = inputs(3, 1, (6, 6))
    exact = outlook.outlook(v, logits, 3, 3)
    dropped = torch.stack([outlook.outlook(v, logits, 3, 3, dropout=0.2) for _ in range(400)])
    assert not torch.equal(dropped[0], exact)
    assert (dropped.mean(0) - exact).abs().max() < 0.5 * exact.abs().max()
    assert (dropped.mean(0) - exact).abs().mean() < 0.05 * exact.abs().max()


def test_gradients_pass_gradcheck():
    tensors = inputs(3, 2, (3, 3), heads=1, channels=2)
    assert torch.autograd.gradcheck(lambda v, a: outlook.outlook(v, a, 1, 3, 2), tensors)


def test_second_derivatives_pass_gradgradcheck():
    tensors = inputs(3, 1, (2, 2), heads=1, channels=1)
    assert torch.autograd.gradgradcheck(lambda v, a: outlook.outlook(v, a, 1, 3), tensors, fast_mode=True)
