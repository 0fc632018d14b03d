"""The local mix: its definition by hand, and every form against the definition, values and gradients."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import PARITY, distance
from yolo_cot.ops import local_mix as module
from yolo_cot.ops.local_mix import Window, local_mix, local_mix_reference, square, window_mix, window_mix_recorded

SIZES = [(1, 1), (1, 9), (9, 1), (2, 3), (7, 5), (8, 8)]


def recorded(v, weight, kernel_size, *, interleaved=False):
    return window_mix_recorded(v, weight, square(kernel_size), interleaved=interleaved)


FORMS = {"used": local_mix, "recorded": recorded}


def inputs(k, size, groups=3, channels=12, dtype=torch.float64):
    v = torch.randn(2, channels, *size, dtype=dtype, requires_grad=True)
    weight = torch.randn(2, groups * k * k, *size, dtype=dtype, requires_grad=True)
    return v, weight


def values_and_gradients(function, tensors, **arguments):
    out = function(*tensors, **arguments)
    seed = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad(out, tensors, seed)]


def test_the_definition_gives_the_sum_computed_by_hand():
    v = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    weight = torch.zeros(1, 9, 3, 3)
    weight[0, 1, 1, 1] = 10  # the centre takes ten times the pixel above it, 2,
    weight[0, 5, 1, 1] = 1  # and once the pixel to its right, 6
    weight[0, 0, 0, 0] = 5  # above and left of the corner there is nothing
    expected = torch.zeros(1, 1, 3, 3)
    expected[0, 0, 1, 1] = 26
    for form in (local_mix_reference, *FORMS.values()):
        assert torch.equal(form(v, weight, 3), expected)


@pytest.mark.parametrize("interleaved", [False, True])
def test_groups_own_neighbouring_or_interleaved_channels(interleaved):
    v = torch.ones(1, 4, 1, 1)
    weight = torch.tensor([2.0, 3.0]).view(1, 2, 1, 1)
    expected = [2, 3, 2, 3] if interleaved else [2, 2, 3, 3]
    for form in (local_mix_reference, *FORMS.values()):
        assert form(v, weight, 1, interleaved=interleaved).flatten().tolist() == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("interleaved", [False, True])
def test_values_and_gradients_match_the_definition(form, size, k, interleaved):
    tensors = inputs(k, size)
    got = values_and_gradients(FORMS[form], tensors, kernel_size=k, interleaved=interleaved)
    wanted = values_and_gradients(local_mix_reference, tensors, kernel_size=k, interleaved=interleaved)
    assert max(distance(g, w) for g, w in zip(got, wanted)) < PARITY


@pytest.mark.parametrize("layout", ["channels_last", "strided", "expanded"])
def test_memory_layout_does_not_change_the_result(layout):
    v, weight = inputs(3, (6, 5))
    with torch.no_grad():
        if layout == "channels_last":
            views = [t.contiguous(memory_format=torch.channels_last) for t in (v, weight)]
        elif layout == "strided":
            views = [torch.stack([t, t], -1)[..., 0] for t in (v, weight)]
        else:
            v, weight = v[:1].expand(2, -1, -1, -1), weight[:1].expand(2, -1, -1, -1)
            views = [v, weight]
    leaves = [t.detach().requires_grad_() for t in views]
    plain = [t.detach().contiguous().requires_grad_() for t in (v, weight)]
    got = values_and_gradients(local_mix, leaves, kernel_size=3)
    wanted = values_and_gradients(local_mix_reference, plain, kernel_size=3)
    assert max(distance(g, w) for g, w in zip(got, wanted)) < PARITY


@pytest.mark.parametrize("interleaved", [False, True])
def test_gradients_pass_gradcheck(interleaved):
    tensors = inputs(3, (3, 4), groups=2, channels=4)
    assert torch.autograd.gradcheck(lambda v, w: local_mix(v, w, 3, interleaved=interleaved), tensors)


@pytest.mark.parametrize("interleaved", [False, True])
def test_second_derivatives_pass_gradgradcheck(interleaved):
    tensors = inputs(3, (2, 3), groups=2, channels=4)
    assert torch.autograd.gradgradcheck(lambda v, w: local_mix(v, w, 3, interleaved=interleaved), tensors)


def test_a_gradient_penalty_is_that_of_the_definition():
    tensors = inputs(3, (4, 4))
    penalties = []
    for form in (local_mix, local_mix_reference):
        (grad,) = torch.autograd.grad(form(*tensors, 3).square().sum(), tensors[0], create_graph=True)
        penalties.append(torch.autograd.grad(grad.square().sum(), tensors))
    assert max(distance(g, w) for g, w in zip(*penalties)) < PARITY


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 1e-2), (torch.float16, 2e-3)])
def test_half_precision_is_summed_in_float32(dtype, tolerance):
    v, weight = inputs(5, (8, 8), dtype=torch.float32)
    half = [t.detach().to(dtype).requires_grad_() for t in (v, weight)]
    exact = [t.detach().double().requires_grad_() for t in half]
    got = values_and_gradients(local_mix, half, kernel_size=5)
    wanted = values_and_gradients(local_mix_reference, exact, kernel_size=5)
    assert all(g.dtype == dtype for g in got)
    assert max(distance(g, w) for g, w in zip(got, wanted)) < tolerance


@pytest.mark.parametrize("window", [Window(-1, 0, 2, 1), Window(0, -2, 1, 4), Window(1, 1, 1, 1), Window(-2, -1, 3, 3)])
@pytest.mark.parametrize("form", [window_mix, window_mix_recorded])
def test_a_rectangular_window_is_a_square_one_with_zero_weights(window, form):
    v = torch.randn(2, 4, 6, 7, dtype=torch.float64)
    weight = torch.randn(2, 2 * window.height * window.width, 6, 7, dtype=torch.float64)
    embedded = torch.zeros(2, 2, 5, 5, 6, 7, dtype=torch.float64)
    top, left = window.top + 2, window.left + 2
    embedded[:, :, top : top + window.height, left : left + window.width] = weight.view(
        2, 2, window.height, window.width, 6, 7
    )
    wanted = local_mix_reference(v, embedded.reshape(2, 50, 6, 7), 5)
    assert distance(form(v, weight, window), wanted) < PARITY


def test_an_image_alone_gives_what_it_gives_in_a_batch():
    v, weight = inputs(3, (5, 5))
    together = local_mix(v, weight, 3)
    assert torch.equal(local_mix(v[1:], weight[1:], 3), together[1:])


@pytest.mark.parametrize(
    "v, weight, k, message",
    [
        ((1, 4, 5, 5), (1, 16, 5, 5), 2, r"odd kernel_size; got 2. Use 3"),
        ((1, 4, 5, 5), (1, 10, 5, 5), 3, r"weight \(B, groups \* 9, H, W\).*\(1, 10, 5, 5\)"),
        ((1, 4, 5, 5), (1, 9, 5, 4), 3, r"weight \(B, groups \* 9, H, W\)"),
        ((1, 4, 5, 5), (1, 27, 5, 5), 3, r"channels divisible by groups; got 4 channels and 3 groups"),
        ((4, 5, 5), (1, 9, 5, 5), 3, r"4 axes"),
    ],
)
def test_wrong_shapes_get_one_clear_error(v, weight, k, message):
    with pytest.raises(ValueError, match=message):
        local_mix(torch.zeros(v), torch.zeros(weight), k)


def test_a_recorded_graph_takes_the_recorded_form(monkeypatch):
    called = []
    monkeypatch.setattr(module, "window_mix_recorded", lambda *a, **k: called.append(1) or a[0])
    torch.jit.trace(
        lambda v, w: local_mix(v, w, 3), (torch.zeros(1, 1, 4, 4), torch.zeros(1, 9, 4, 4)), check_trace=False
    )
    assert called
