"""The local mix as embedding bags: the definition's values and gradients, the layouts, and when it is taken."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tolerances import PARITY, distance
from yolo_cot.ops import local_mix as module
from yolo_cot.ops import local_mix_bags as bags
from yolo_cot.ops.local_mix import local_mix, local_mix_reference, window_mix, window_mix_recorded
from yolo_cot.ops.window import Window, square

WINDOWS = [
    square(1),
    square(3),
    square(5),
    Window(-1, -2, 2, 3),
    Window(0, 1, 1, 2),
    Window(3, 0, 3, 1),
    Window(-9, -4, 2, 2),
]
SIZES = [(1, 1, 1), (2, 1, 9), (1, 9, 1), (2, 2, 3), (3, 7, 5)]


@pytest.fixture
def always(monkeypatch):
    """Taken for any width and in float64, so that it is compared to the last digits; and nothing else is."""
    monkeypatch.setattr(bags, "SHARE", 1)
    monkeypatch.setattr(bags, "TYPES", (*bags.TYPES, torch.float64))
    monkeypatch.setattr(module, "_Image", None)


def inputs(size, window, channels=6, groups=3, dtype=torch.float64) -> tuple[Tensor, Tensor]:
    b, h, w = size
    v = torch.randn(b, channels, h, w, dtype=dtype, requires_grad=True)
    return v, torch.randn(b, groups * window.taps, h, w, dtype=dtype, requires_grad=True)


def values_and_gradients(form, v, weight, window):
    out = form(v, weight, window)
    seed = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return out, *torch.autograd.grad(out, (v, weight), seed)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_gradients_and_layout_on_any_map_and_window(size, window, memory_format, always):
    v, weight = inputs(size, window)
    wanted = values_and_gradients(window_mix_recorded, v, weight, window)
    with torch.no_grad():
        v = v.contiguous(memory_format=memory_format)
    got = values_and_gradients(window_mix, v.requires_grad_(), weight, window)
    assert max(distance(g, w) for g, w in zip(got, wanted)) < PARITY
    assert got[0].is_contiguous(memory_format=memory_format)
    assert got[1].is_contiguous(memory_format=memory_format)
    assert got[2].is_contiguous()


def test_it_is_the_definition(always):
    v, weight = inputs((2, 5, 4), square(5))
    assert distance(local_mix(v, weight, 5), local_mix_reference(v, weight, 5)) < PARITY


def test_views_are_taken(always):
    whole = torch.randn(2, 12, 6, 10, dtype=torch.float64)
    _, weight = inputs((2, 6, 5), square(3))
    v = whole[:, 3:9, :, ::2]
    assert distance(window_mix(v, weight, square(3)), window_mix_recorded(v, weight, square(3))) < PARITY


def test_derivatives_of_both_orders(always):
    v, weight = inputs((1, 2, 3), square(3), channels=4, groups=2)
    assert torch.autograd.gradcheck(lambda *t: local_mix(*t, 3), (v, weight))
    assert torch.autograd.gradgradcheck(lambda *t: local_mix(*t, 3), (v, weight))


def test_what_lies_outside_has_no_say(always):
    """Taps outside the map may have any weight, and get no gradient."""
    v, weight = inputs((1, 4, 4), square(3))
    with torch.no_grad():
        weight.view(1, 3, 3, 3, 4, 4)[:, :, 0, :, 0] = torch.inf  # the taps above the first row
    assert window_mix(v, weight, square(3)).isfinite().all()
    _, _, grad = values_and_gradients(window_mix, v, weight, square(3))
    assert not grad.view(1, 3, 3, 3, 4, 4)[:, :, 0, :, 0].any()
    assert grad.view(1, 3, 3, 3, 4, 4)[:, :, 1, 1].all()


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.bfloat16, 1e-2), (torch.float16, 2e-3)])
def test_types_that_are_summed_in_float32(dtype, tolerance, monkeypatch):
    monkeypatch.setattr(module, "_Image", None)
    v, weight = (t.detach().to(dtype).requires_grad_() for t in inputs((2, 6, 5), square(5), channels=64, groups=2))
    exact = [t.detach().double().requires_grad_() for t in (v, weight)]
    got = values_and_gradients(window_mix, v, weight, square(5))
    assert all(g.dtype == dtype for g in got)
    wanted = values_and_gradients(window_mix_recorded, *exact, square(5))
    assert max(distance(g, w) for g, w in zip(got, wanted)) < tolerance


def test_indices_kept_from_inference_serve_training():
    size, window = (1, 3, 11), square(3)
    v, weight = inputs(size, window, channels=32, groups=2, dtype=torch.float32)
    with torch.inference_mode():
        wanted = window_mix(v, weight, window)
    y = window_mix(v, weight, window)
    y.sum().backward()
    assert torch.equal(y, wanted)


def test_what_it_is_taken_for():
    wide, window = torch.randn(1, 64, 4, 4), square(5)
    assert bags.fits(wide, 2, window)
    assert bags.fits(wide.bfloat16(), 4, window)
    assert not bags.fits(wide, 8, window), "narrow groups"
    assert not bags.fits(wide.double(), 2, window)
    assert not bags.fits(wide.to("meta"), 2, window)
    assert not bags.fits(wide[:0], 2, window)
    assert not bags.fits(torch.empty(()).expand(2, 64, 5000, 5000), 2, window), "more weights than 32 bits can count"


def test_tensors_without_data_leave_nothing_behind():
    """The indices are kept; those made while shapes are worked out would poison the next real call."""
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        v, weight = torch.randn(1, 32, 3, 13), torch.randn(1, 9, 3, 13)
        assert not bags.fits(v, 1, square(3))
        assert local_mix(v, weight, 3).shape == v.shape
    v, weight = torch.randn(1, 32, 3, 13), torch.randn(1, 9, 3, 13)
    assert distance(local_mix(v, weight, 3), local_mix_reference(v, weight, 3)) < 1e-6


def test_interleaved_groups_are_left_to_the_other_form(monkeypatch):
    monkeypatch.setattr(bags, "mix", None)
    v, weight = torch.randn(1, 64, 4, 4), torch.randn(1, 18, 4, 4)
    wanted = local_mix_reference(v, weight, 3, interleaved=True)
    assert distance(local_mix(v, weight, 3, interleaved=True), wanted) < 1e-6
