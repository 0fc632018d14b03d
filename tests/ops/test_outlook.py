"""Outlook attention: every form against the published unfold - fold form, values and derivatives of both orders."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.tolerances import PARITY, distance
from yolo_cot.ops import outlook as package
from yolo_cot.ops.outlook import exported, outlook, reference, strided, taps, traced, window_centres

DENSE = {"exported": exported.mix, "traced": traced.mix, "traced, sliced": traced.mix_sliced, "taps": taps.mix}
CASES = [
    (1, 1, (2, 3)),
    (3, 1, (1, 1)),
    (3, 1, (1, 9)),
    (3, 1, (7, 5)),
    (3, 1, (3, 21)),
    (5, 1, (8, 6)),
    (7, 1, (3, 13)),
]
CASES += [(1, 2, (2, 3)), (3, 2, (1, 1)), (3, 2, (7, 5)), (5, 2, (1, 9)), (3, 3, (8, 6)), (3, 4, (7, 5))]


def inputs(k, s, size, heads=3, channels=12) -> tuple[Tensor, Tensor]:
    coarse = [math.ceil(n / s) for n in size]
    v = torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
    attention = torch.randn(2, heads * k**4, *coarse, dtype=torch.float64, requires_grad=True)
    return v, attention


def values_and_gradients(form, tensors, *settings) -> list[Tensor]:
    out = form(*tensors, *settings)
    seed = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad(out, tensors, seed)]


@pytest.mark.parametrize("k, s, size", CASES)
@pytest.mark.parametrize("to_onnx", [True, False])
def test_values_and_gradients_match_the_definition(k, s, size, to_onnx, monkeypatch):
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: to_onnx)
    tensors = inputs(k, s, size)
    wanted = values_and_gradients(reference.mix, tensors, 3, k, s)
    for name, form in {"strided": strided.mix, "sliced": strided.mix_sliced, **(DENSE if s == 1 else {})}.items():
        got = values_and_gradients(form, tensors, 3, k, s)
        assert max(distance(g, w) for g, w in zip(got, wanted, strict=True)) < PARITY, name


@pytest.mark.parametrize("way", ["eager", "traced", "exported"])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_operation_is_the_definition_of_a_softmax_over_the_window(way, stride, monkeypatch):
    monkeypatch.setattr(package, "route", lambda: way)
    v, logits = inputs(3, stride, (7, 5))
    attention = logits.view(2, 27, 9, -1).softmax(2).view_as(logits)
    assert distance(outlook(v, logits, 3, 3, stride), reference.mix(v, attention, 3, 3, stride)) < PARITY
    assert outlook(v, logits * 1e6, 3, 3, stride).isfinite().all(), "beyond the range of exp"


def test_equal_logits_give_the_mean_of_the_windows_counted_by_hand():
    # One pixel and a 3 x 3 window: 9 equal weights, eight of them on zeros; only the centre is kept.
    v, logits = torch.full((1, 1, 1, 1), 18.0), torch.zeros(1, 81, 1, 1)
    assert outlook(v, logits, 1, 3).item() == pytest.approx(2.0)


def test_the_taps_of_a_pixel_add_up_to_the_windows_that_cover_it():
    attention = torch.rand(1, 18, 9, 36, dtype=torch.float64).softmax(2).reshape(1, -1, 6, 6)
    inner = taps.collect(attention, 2, 3).view(2, 25, 6, 6).sum(1)[:, 2:4, 2:4]
    # Every window writes a mix of weight 1 to each of its 9 positions, so a pixel gets one per covering window.
    assert distance(inner, torch.full_like(inner, 9)) < PARITY


def test_dropout_keeps_the_expectation_and_drops_entries():
    v, logits = (t.detach() for t in inputs(3, 1, (6, 6)))
    exact = outlook(v, logits, 3, 3)
    dropped = torch.stack([outlook(v, logits, 3, 3, dropout=0.2) for _ in range(400)])
    assert not torch.equal(dropped[0], exact)
    assert (dropped.mean(0) - exact).abs().max() < 0.5 * exact.abs().max()
    assert (dropped.mean(0) - exact).abs().mean() < 0.05 * exact.abs().max()


@pytest.mark.parametrize("stride", [1, 2])
def test_derivatives_of_both_orders_pass_gradcheck(stride):
    tensors = inputs(3, stride, (2, 3), heads=1, channels=1)
    assert torch.autograd.gradcheck(lambda v, a: outlook(v, a, 1, 3, stride), tensors, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda v, a: outlook(v, a, 1, 3, stride), tensors, fast_mode=True)


@pytest.mark.parametrize("size", [(7, 5), (6, 8), (1, 1)])
def test_window_centres_are_means_of_what_is_there_on_every_route(size, monkeypatch):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    wanted = torch.stack(
        [
            torch.stack([x[:, :, y : y + 2, z : z + 2].mean((2, 3)) for z in range(0, size[1], 2)], -1)
            for y in range(0, size[0], 2)
        ],
        -2,
    )
    for way in ("eager", "compiled", "traced", "exported"):
        monkeypatch.setattr(package, "route", lambda way=way: way)
        assert distance(window_centres(x, 2), wanted) < PARITY
    assert window_centres(x, 1) is x
