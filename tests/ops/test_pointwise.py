"""The 1x1 convolution as matrix products against `conv2d`: values, gradients of two orders, when it steps back."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from yolo_cot.nn import CoTAttention, OutlookAttention
from yolo_cot.nn.conv import AddingConv2d, PointwiseConv2d
from yolo_cot.ops import pointwise as module
from yolo_cot.ops.pointwise import add_pointwise, memory_format_of, pointwise

SIZES = [(1, 1, 1), (3, 1, 9), (1, 7, 5), (2, 6, 1), (4, 8, 8)]


def case(widths, b, h, w, bias=True, dtype=torch.float64):
    """Maps, weight and bias."""
    torch.manual_seed(0)
    maps = [torch.randn(b, c, h, w, dtype=dtype, requires_grad=True) for c in widths]
    weight = torch.randn(6, sum(widths), 1, 1, dtype=dtype, requires_grad=True)
    return maps, weight, torch.randn(6, dtype=dtype, requires_grad=True) if bias else None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("widths", [(5,), (3, 4), (2, 1, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_conv2d(size, widths, bias, monkeypatch):
    maps, weight, shift = case(widths, *size, bias)
    wanted = F.conv2d(torch.cat(maps, 1), weight, shift)
    leaves = [t for t in (*maps, weight, shift) if t is not None]
    seed = torch.linspace(-1, 2, wanted.numel(), dtype=wanted.dtype).view_as(wanted)
    expected = torch.autograd.grad(wanted, leaves, seed)

    monkeypatch.setattr(F, "conv2d", None)  # it must not be what is compared with
    got = pointwise(maps, weight, shift)
    with torch.no_grad():
        plain = pointwise(maps, weight, shift)
    assert got.is_contiguous()
    for a, b in zip((got, plain, *torch.autograd.grad(got, leaves, seed)), (wanted, wanted, *expected)):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("widths", [(3,), (2, 2)])
def test_derivatives_of_every_order(widths):
    maps, weight, bias = case(widths, 2, 2, 3)

    def run(weight, bias, *maps):
        return pointwise(maps, weight, bias)

    assert torch.autograd.gradcheck(run, (weight, bias, *maps))
    assert torch.autograd.gradgradcheck(run, (weight, bias, *maps))


def test_a_graph_of_the_gradients_made_under_autocast_is_as_exact_as_elsewhere():
    (x,), weight, bias = case((4,), 2, 3, 3, dtype=torch.float32)
    found = []
    for autocast in (False, True):
        y = pointwise((x,), weight, bias)
        with torch.autocast("cpu", enabled=autocast):
            found.append(torch.autograd.grad(y.square().sum(), [x, weight], create_graph=True))
    for got, wanted in zip(found[1], found[0]):
        torch.testing.assert_close(got, wanted)


def test_only_what_is_asked_for_gets_a_gradient():
    (x,), weight, bias = case((4,), 2, 3, 3)
    for leaf in (x, weight, bias):
        for other in (x, weight, bias):
            other.requires_grad_(other is leaf)
        y = pointwise((x,), weight, bias)
        (grad,) = torch.autograd.grad(y.square().sum(), leaf, create_graph=True)
        (wanted,) = torch.autograd.grad(F.conv2d(x, weight, bias).square().sum(), leaf)
        torch.testing.assert_close(grad, wanted)


@pytest.mark.parametrize("b", [1, 3])
def test_views_of_channels_are_taken_as_they_are(b):
    whole = torch.randn(b, 9, 5, 4, dtype=torch.float64)
    part, weight = whole[:, 2:6], torch.randn(6, 4, 1, 1, dtype=torch.float64)
    assert module._as_products((part,), weight)
    torch.testing.assert_close(pointwise((part,), weight), F.conv2d(part, weight))


@pytest.mark.parametrize(
    "change",
    [
        lambda x, w: (x.to(memory_format=torch.channels_last), w),
        lambda x, w: (x.mT, w),
        lambda x, w: (x.bfloat16(), w.bfloat16()),
        lambda x, w: (x[:0], w),
    ],
    ids=["channels last", "turned", "bfloat16", "no image"],
)
def test_other_layouts_and_types_are_left_to_conv2d(change):
    x, weight = change(torch.randn(2, 8, 5, 4), torch.randn(6, 8, 1, 1))
    assert not module._as_products((x,), weight)
    y, wanted = pointwise((x,), weight), F.conv2d(x, weight)
    assert y.dtype == wanted.dtype
    assert y.stride() == wanted.stride()
    torch.testing.assert_close(y, wanted)


FORMATS = {"first": torch.contiguous_format, "last": torch.channels_last}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("given", FORMATS)
@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize("bias", [True, False])
def test_channels_come_first_or_last_as_told(size, given, wanted, bias, monkeypatch):
    maps, weight, shift = case((3, 4), *size, bias)
    y = F.conv2d(torch.cat(maps, 1), weight, shift)
    leaves = [t for t in (*maps, weight, shift) if t is not None]
    seed = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)
    expected = [y, *torch.autograd.grad(y, leaves, seed)]
    with torch.no_grad():
        maps = [m.contiguous(memory_format=FORMATS[given]).requires_grad_() for m in maps]
    leaves[: len(maps)] = maps

    monkeypatch.setattr(F, "conv2d", None)
    got = pointwise(maps, weight, shift, FORMATS[wanted])
    with torch.no_grad():
        assert torch.equal(pointwise(maps, weight, shift, FORMATS[wanted]), got)
    assert got.is_contiguous(memory_format=FORMATS[wanted])
    for layout in FORMATS.values():  # of the gradient that comes back
        grads = torch.autograd.grad(got, leaves, seed.contiguous(memory_format=layout), retain_graph=True)
        assert all(g.is_contiguous(memory_format=FORMATS[given]) for g in grads[: len(maps)])
        for a, b in zip((got, *grads), expected):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_convolutions_of_other_types_are_brought_into_the_format_too():
    x, weight = torch.randn(2, 8, 5, 4).bfloat16(), torch.randn(6, 8, 1, 1).bfloat16()
    y = pointwise((x,), weight, memory_format=torch.channels_last)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, F.conv2d(x, weight))


def test_the_format_of_a_map():
    x = torch.randn(2, 8, 5, 4)
    assert memory_format_of(x) == memory_format_of(x[:, ::2]) == torch.contiguous_format
    assert memory_format_of(x.to(memory_format=torch.channels_last)) == torch.channels_last
    assert memory_format_of(x[:, :1]) == torch.contiguous_format  # it is both


def test_autocast_gives_its_type():
    x, weight = torch.randn(2, 8, 5, 4), torch.randn(6, 8, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert pointwise((x, x[:, :0]), weight).dtype == torch.bfloat16
    assert pointwise((x,), weight).dtype == torch.float32


@pytest.mark.parametrize("b", [1, 3])
def test_adding_overwrites_only_without_gradients(b):
    x, weight = torch.randn(b, 4, 5, 3), torch.randn(6, 4, 1, 1)
    total = torch.randn(b, 7, 5, 3)[:, 1:]
    wanted, before = total + F.conv2d(x, weight), total.clone()
    torch.testing.assert_close(add_pointwise(total, x, weight), wanted)
    torch.testing.assert_close(total, before)
    with torch.no_grad():
        y = add_pointwise(total, x, weight)
    torch.testing.assert_close(y, wanted)
    assert y.data_ptr() == total.data_ptr()


@pytest.mark.parametrize("cls", [CoTAttention, OutlookAttention])
@pytest.mark.parametrize("fuse", [False, True])
def test_blocks_from_checkpoints_with_plain_convolutions_still_run(cls, fuse):
    """As pickled before the convolutions were matrix products: in training, and fused."""
    x = torch.randn(2, 32, 5, 4)
    block = cls(32).eval()
    if fuse:
        from yolo_cot.commands.bench.blocks import fused

        block = fused(block)
    with torch.no_grad():
        wanted = block(x)
    for part in block.modules():
        if isinstance(part, (PointwiseConv2d, AddingConv2d)):
            part.__class__ = nn.Conv2d
    block.__setstate__(block.__dict__)
    with torch.no_grad():
        torch.testing.assert_close(block(x), wanted)
