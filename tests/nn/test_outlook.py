"""OutlookAttention: the short cuts that nobody may notice."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import PARITY, distance
from yolo_cot.nn import OutlookAttention

WIDTH = 64


def block(stride: int = 1) -> OutlookAttention:
    torch.manual_seed(0)
    return OutlookAttention(WIDTH, stride=stride).eval()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 7, 5), (3, 8, 8)])
def test_inference_gives_what_training_sees(stride, size):
    attention = block(stride)
    b, h, w = size
    x = torch.randn(b, WIDTH, h, w)
    before = x.clone()
    wanted = attention(x)
    with torch.no_grad():
        assert distance(attention(x), wanted) < 1e-6
    assert torch.equal(x, before)


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad])
@pytest.mark.parametrize("of", ["attn", "mix"])
def test_what_a_hook_keeps_is_not_overwritten(of, context):
    attention, x, kept = block(), torch.randn(1, WIDTH, 6, 5), []
    with context():
        logits = torch.nn.functional.conv2d(x, attention.attn.weight, attention.attn.bias) * attention.attn.scale
        plain = attention(x)
        part = getattr(attention, of)
        hook = part.register_forward_hook(lambda _, given, y: kept.append(y if of == "attn" else given[1]))
        assert distance(attention(x), plain) < 1e-6
        hook.remove()
    assert distance(kept[0], logits) < 1e-5


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad])
def test_without_a_hook_the_logits_make_room(monkeypatch, context):
    """What the test above guards against does happen: the softmax takes the place of the logits."""
    attention, x, kept = block(), torch.randn(1, WIDTH, 6, 5), []
    forward = attention.attn.forward
    monkeypatch.setattr(attention.attn, "forward", lambda *a: kept.append(forward(*a)) or kept[-1])
    with context():
        attention(x)
    sums = kept[0].view(1, -1, 9, 6, 5).sum(2)
    torch.testing.assert_close(sums, torch.ones_like(sums))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("b", [1, 3])
def test_gradients_in_training_are_those_that_hooks_see(stride, b):
    """With a hook nothing is overwritten: the two ways must train alike."""
    attention, x = block(stride).double().train(), torch.randn(b, WIDTH, 7, 5, dtype=torch.float64)
    found = []
    for watched in (False, True):
        hook = attention.mix.register_forward_hook(lambda *_: None) if watched else None
        leaf = x.clone().requires_grad_()
        attention.zero_grad()
        y = attention(leaf)
        y.backward(torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y))
        found.append([y.detach(), leaf.grad, *(p.grad for p in attention.parameters())])
        if hook:
            hook.remove()
    assert len(found[0]) == 7
    assert all(distance(got, wanted) < PARITY for got, wanted in zip(*found, strict=True))


def test_entries_are_dropped_in_training_only():
    torch.manual_seed(0)
    attention, x = OutlookAttention(WIDTH, attn_drop=0.5), torch.randn(1, WIDTH, 6, 5)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


@pytest.mark.parametrize("stride", [1, 2])
def test_channels_last_stay_last(stride):
    attention, x = block(stride), torch.randn(2, WIDTH, 6, 5)
    last = x.to(memory_format=torch.channels_last)
    for context in (torch.no_grad, torch.enable_grad):
        with context():
            wanted, y = attention(x), attention(last)
        assert wanted.is_contiguous()
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert distance(y, wanted) < 1e-6


def test_autocast_at_inference_and_in_training():
    attention, x = block(), torch.randn(2, WIDTH, 6, 5)
    wanted = attention(x)
    for context in (torch.no_grad, torch.enable_grad):
        with context(), torch.autocast("cpu", torch.bfloat16):
            y = attention(x)
        assert y.dtype == torch.bfloat16
        assert distance(y, wanted) < 2e-2
