"""OutlookAttention: inference, training, memory formats and number formats agree."""

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


def test_entries_are_dropped_in_training_only():
    torch.manual_seed(0)
    attention, x = OutlookAttention(WIDTH, attn_drop=0.5), torch.randn(1, WIDTH, 6, 5)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_channels_last_stay_last():
    attention, x = block(), torch.randn(2, WIDTH, 6, 5)
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
