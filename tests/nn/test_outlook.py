"""OutlookAttention at inference: the short cuts that nobody may notice."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import distance
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


@pytest.mark.parametrize("of", ["attn", "mix"])
def test_what_a_hook_keeps_is_not_overwritten(of):
    attention, x, kept = block(), torch.randn(1, WIDTH, 6, 5), []
    with torch.no_grad():
        logits = torch.nn.functional.conv2d(x, attention.attn.weight, attention.attn.bias) * attention.attn.scale
        plain = attention(x)
        part = getattr(attention, of)
        hook = part.register_forward_hook(lambda _, given, y: kept.append(y if of == "attn" else given[1]))
        assert distance(attention(x), plain) < 1e-6
        hook.remove()
    assert distance(kept[0], logits) < 1e-5


def test_without_a_hook_the_logits_make_room(monkeypatch):
    """What the test above guards against does happen: the softmax takes the place of the logits."""
    attention, x, kept = block(), torch.randn(1, WIDTH, 6, 5), []
    forward = attention.attn.forward
    monkeypatch.setattr(attention.attn, "forward", lambda *a: kept.append(forward(*a)) or kept[-1])
    with torch.no_grad():
        attention(x)
    sums = kept[0].view(1, -1, 9, 6, 5).sum(2)
    torch.testing.assert_close(sums, torch.ones_like(sums))


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
