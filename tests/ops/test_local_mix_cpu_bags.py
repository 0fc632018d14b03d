"""The local mix as embedding bags: what lies outside the map, the indices that are kept, and what it is taken for."""

from __future__ import annotations

import torch

from tests.tolerances import PARITY, distance
from yolo_cot.ops.local_mix import cpu_bags, local_mix, reference, square, window_mix


def test_weights_outside_the_map_may_be_anything_and_get_no_gradient():
    v = torch.randn(1, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(1, 3, 3, 3, 4, 4, dtype=torch.float64)
    weight[:, :, 0, :, 0] = torch.inf  # the taps above the first row
    weight = weight.view(1, 27, 4, 4).requires_grad_()
    y = cpu_bags.mix(v, weight, square(3), False)
    assert y.isfinite().all()
    (grad,) = torch.autograd.grad(y.sum(), weight)
    assert not grad.view(1, 3, 3, 3, 4, 4)[:, :, 0, :, 0].any()
    assert grad.view(1, 3, 3, 3, 4, 4)[:, :, 1, 1].all()


def test_channels_last_stay_last_with_their_gradients():
    v = torch.randn(2, 6, 5, 4, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(2, 27, 5, 4, dtype=torch.float64, requires_grad=True)
    y = cpu_bags.mix(v, weight, square(3), False)
    grads = torch.autograd.grad(y.sum(), (v, weight))
    assert distance(y, reference.mix(v, weight, square(3))) < PARITY
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (y, grads[0]))
    assert grads[1].is_contiguous()


def test_indices_kept_from_inference_serve_training():
    v, weight = torch.randn(1, 32, 3, 11, requires_grad=True), torch.randn(1, 18, 3, 11)
    with torch.inference_mode():
        wanted = window_mix(v, weight, square(3))
    y = window_mix(v, weight, square(3))
    y.sum().backward()
    assert torch.equal(y, wanted)


def test_what_it_is_taken_for():
    wide, window = torch.randn(1, 64, 4, 4), square(5)
    assert cpu_bags.fits(wide, 2, window)
    assert cpu_bags.fits(wide.bfloat16(), 4, window)
    assert not cpu_bags.fits(wide, 8, window), "narrow groups"
    assert not cpu_bags.fits(wide.double(), 2, window)
    assert not cpu_bags.fits(wide.to("meta"), 2, window)
    assert not cpu_bags.fits(wide[:0], 2, window)
    assert not cpu_bags.fits(torch.empty(()).expand(2, 64, 5000, 5000), 2, window), (
        "more weights than 32 bits can count"
    )


def test_tensors_without_data_leave_nothing_behind():
    """The indices are kept; those made while shapes are worked out would poison the next real call."""
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        v, weight = torch.randn(1, 32, 3, 13), torch.randn(1, 9, 3, 13)
        assert local_mix(v, weight, 3).shape == v.shape
    v, weight = torch.randn(1, 32, 3, 13), torch.randn(1, 9, 3, 13)
    assert distance(local_mix(v, weight, 3), reference.mix(v, weight, square(3))) < 1e-6
