"""The local mix: its definition by hand, and every form against it, values and derivatives of both orders."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from tests.tolerances import PARITY, distance
from yolo_cot.ops import local_mix as package
from yolo_cot.ops.local_mix import Window, cpu, cpu_bags, exported, local_mix, reference, square, window_mix

FORMS = {"exported": exported.mix, "cpu": cpu.mix, "cpu_bags": cpu_bags.mix}
# Batch, height and width; odd and degenerate sizes, windows that reach beyond the map or miss it.
CASES = [
    ((1, 1, 1), square(5)),
    ((2, 1, 9), square(3)),
    ((1, 9, 1), square(1)),
    ((2, 7, 5), square(3)),
    ((3, 2, 3), square(5)),
    ((2, 6, 7), Window(-1, -2, 2, 3)),
    ((1, 4, 5), Window(0, 1, 1, 2)),
    ((1, 3, 4), Window(3, 0, 3, 1)),
    ((1, 3, 3), Window(-9, -4, 2, 2)),
]


@pytest.fixture
def float64_bags(monkeypatch):
    """Embedding bags of any width and in float64, so that they are compared to the last digits."""
    monkeypatch.setattr(cpu_bags, "CHANNELS_PER_GROUP", 1)
    monkeypatch.setattr(cpu_bags, "TYPES", (*cpu_bags.TYPES, torch.float64))


def inputs(size, window, groups=3, channels=12, dtype=torch.float64) -> tuple[Tensor, Tensor]:
    b, h, w = size
    v = torch.randn(b, channels, h, w, dtype=dtype, requires_grad=True)
    return v, torch.randn(b, groups * window.taps, h, w, dtype=dtype, requires_grad=True)


def values_and_gradients(form, tensors, *settings) -> list[Tensor]:
    out = form(*tensors, *settings)
    seed = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return [out, *torch.autograd.grad(out, tensors, seed)]


def worst(got, wanted) -> float:
    return max(distance(g, w) for g, w in zip(got, wanted, strict=True))


def test_the_definition_gives_the_sum_computed_by_hand():
    v = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    weight = torch.zeros(1, 9, 3, 3)
    weight[0, 1, 1, 1] = 10  # the centre takes ten times the pixel above it, 2,
    weight[0, 5, 1, 1] = 1  # and once the pixel to its right, 6
    weight[0, 0, 0, 0] = 5  # above and left of the corner there is nothing
    expected = torch.zeros(1, 1, 3, 3)
    expected[0, 0, 1, 1] = 26
    for form in (reference.mix, *FORMS.values()):
        assert torch.equal(form(v, weight, square(3), False), expected)


@pytest.mark.parametrize("interleaved", [False, True])
def test_groups_own_neighbouring_or_interleaved_channels(interleaved):
    v, weight = torch.ones(1, 4, 1, 1), torch.tensor([2.0, 3.0]).view(1, 2, 1, 1)
    for form in (reference.mix, exported.mix, cpu.mix):
        assert form(v, weight, square(1), interleaved).flatten().tolist() == (
            [2, 3, 2, 3] if interleaved else [2, 2, 3, 3]
        )


@pytest.mark.parametrize("size, window", CASES)
@pytest.mark.parametrize("interleaved", [False, True])
def test_values_and_gradients_match_the_definition(size, window, interleaved):
    tensors = inputs(size, window)
    wanted = values_and_gradients(reference.mix, tensors, window, interleaved)
    for name, form in FORMS.items():
        if not (interleaved and form is cpu_bags.mix):  # bags are for neighbouring channels only
            assert worst(values_and_gradients(form, tensors, window, interleaved), wanted) < PARITY, name


@pytest.mark.parametrize("form", FORMS)
def test_derivatives_of_both_orders_pass_gradcheck(form):
    tensors = inputs((1, 2, 3), square(3), groups=2, channels=4)

    def mix(v, weight):
        return FORMS[form](v, weight, square(3), False)

    assert torch.autograd.gradcheck(mix, tensors)
    assert torch.autograd.gradgradcheck(mix, tensors)


@pytest.mark.parametrize("form", ["cpu", "cpu_bags"])
def test_second_derivatives_are_right_where_the_weights_come_from_the_values(form):
    """Each gradient is that of its own argument, not of what another argument was computed from."""
    (x, _), found = inputs((1, 3, 2), square(1), channels=4), []
    for mix in (FORMS[form], reference.mix):
        weight = torch.cat([x[:, :1].sin()] * 9, 1)
        (first,) = torch.autograd.grad(mix(x, weight, square(3), False).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), x)[0])
    assert distance(*found) < PARITY


@pytest.mark.parametrize("layout", ["channels_last", "strided", "expanded"])
@pytest.mark.usefixtures("float64_bags")
def test_memory_layout_does_not_change_the_result(layout):
    v, weight = (t.detach() for t in inputs((2, 6, 5), square(3)))
    if layout == "channels_last":
        views = [t.contiguous(memory_format=torch.channels_last) for t in (v, weight)]
    elif layout == "strided":
        views = [torch.stack([t, t], -1)[..., 0] for t in (v, weight)]
    else:
        views = v, weight = [t[:1].expand(2, -1, -1, -1) for t in (v, weight)]
    plain = [t.contiguous().requires_grad_() for t in (v, weight)]
    for interleaved in (False, True):
        leaves = [t.detach().requires_grad_() for t in views]
        got = values_and_gradients(partial(window_mix, window=square(3), interleaved=interleaved), leaves)
        assert worst(got, values_and_gradients(reference.mix, plain, square(3), interleaved)) < PARITY


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 1e-2), (torch.float16, 2e-3)])
@pytest.mark.parametrize("channels", [12, 64])  # multiply-adds, and embedding bags
def test_half_precision_is_summed_in_float32(dtype, tolerance, channels):
    half = [t.detach().to(dtype).requires_grad_() for t in inputs((2, 8, 8), square(5), channels=channels, groups=2)]
    exact = [t.detach().double().requires_grad_() for t in half]
    got = values_and_gradients(local_mix, half, 5)
    assert all(g.dtype == dtype for g in got)
    assert worst(got, values_and_gradients(reference.mix, exact, square(5))) < tolerance


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


def test_the_route_decides_which_form_is_taken(monkeypatch):
    called = []
    for name, module in (("exported", exported), ("cpu", cpu), ("cpu_bags", cpu_bags)):
        kept = module.mix
        monkeypatch.setattr(module, "mix", lambda *a, _kept=kept, _name=name: called.append(_name) or _kept(*a))
        monkeypatch.setattr(module.mix, "name", name, raising=False)
    narrow = torch.zeros(1, 4, 4, 4), torch.zeros(1, 9, 4, 4)
    wide = torch.zeros(1, 64, 4, 4), torch.zeros(1, 9, 4, 4)
    local_mix(*narrow, 3)
    local_mix(*wide, 3)
    local_mix(*wide, 3, interleaved=True)
    torch.jit.trace(lambda v, w: local_mix(v, w, 3), wide, check_trace=False)
    assert called == ["cpu", "cpu_bags", "cpu", "exported"]
    monkeypatch.setattr(package.cuda, "available", lambda: True)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    assert package._hand_written(*wide, square(3), False) is package.cuda.mix
