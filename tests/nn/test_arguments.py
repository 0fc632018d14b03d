"""Constructors: what each argument does, and the error for each wrong one."""

from __future__ import annotations

import pytest
import torch

from yolo_cot.nn import C3k2CoT, C3k2Outlook, CoTAttention, OutlookAttention


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: CoTAttention(30), ValueError, r"divisible by 4.*c1=30. Use 28 or 32"),
        (lambda: CoTAttention(32, 4), ValueError, r"odd kernel_size.*got 4. Use 5"),
        (lambda: CoTAttention(32, 3, 0), ValueError, r"factor of at least 1; got 0"),
        (lambda: CoTAttention(32, 3, 65), ValueError, r"factor of at most 2 \* c1; got factor=65"),
        (lambda: CoTAttention(0), ValueError, r"c1 of at least 1"),
        (lambda: CoTAttention(32, "3"), TypeError, r"whole number for kernel_size; got '3'"),
        (lambda: CoTAttention(32, gate="0"), TypeError, r"finite number for gate; got '0'"),
        (lambda: CoTAttention(32, gate=float("nan")), TypeError, r"finite number for gate; got nan"),
        (
            lambda: OutlookAttention(96, 5),
            ValueError,
            r"c1 divisible by num_heads; got c1=96, num_heads=5. Use 1, 2, 3",
        ),
        (lambda: OutlookAttention(64, 0), ValueError, r"num_heads of at least 1"),
        (lambda: OutlookAttention(64, 2, 2), ValueError, r"odd kernel_size"),
        (lambda: OutlookAttention(64, 2, 5), ValueError, r"padding = kernel_size // 2.*Use padding=2"),
        (lambda: OutlookAttention(64, 2, stride=0), ValueError, r"stride of at least 1"),
        (lambda: OutlookAttention(64, 2, attn_drop=1.0), ValueError, r"attn_drop from 0 up to, not including, 1"),
        (lambda: OutlookAttention(64, 2, proj_drop=-0.1), ValueError, r"proj_drop from 0"),
        (lambda: OutlookAttention(64, 2, qkv_bias=1), TypeError, r"True or False for qkv_bias; got 1"),
        (lambda: OutlookAttention(64, 2, qk_scale="x"), TypeError, r"finite number for qk_scale"),
        (lambda: C3k2CoT(64, 64, g=2), ValueError, r"C3k2CoT needs g=1"),
        (lambda: C3k2Outlook(64, 64, num_heads=3), ValueError, r"divisible by num_heads"),
    ],
)
def test_a_wrong_argument_is_named_with_what_to_do(build, error, message):
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize("c1, expected", [(8, 1), (32, 1), (64, 2), (72, 2), (128, 4), (112, 2), (768, 24)])
def test_heads_default_to_the_most_that_leave_32_channels(c1, expected):
    block = OutlookAttention(c1)
    assert block.num_heads == expected
    assert c1 % block.num_heads == 0


def test_scale_multiplies_the_logits():
    block, other = OutlookAttention(24, 3, qk_scale=0.5).eval(), OutlookAttention(24, 3, qk_scale=1.0).eval()
    other.load_state_dict(block.state_dict())
    with torch.no_grad():
        other.attn.weight *= 0.5
        other.attn.bias *= 0.5
    x = torch.randn(1, 24, 5, 5)
    assert torch.allclose(block(x), other(x), atol=1e-6)


def test_value_bias_exists_only_when_asked_for():
    assert OutlookAttention(24, 3).v.bias is None
    assert OutlookAttention(24, 3, qkv_bias=True).v.bias is not None


@pytest.mark.parametrize("name", ["attn_drop", "proj_drop"])
def test_drop_outs_act_in_training_only(name):
    block, x = OutlookAttention(24, 3, **{name: 0.5}), torch.randn(1, 24, 5, 5)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


@pytest.mark.parametrize("make", [CoTAttention, OutlookAttention])
def test_a_gate_of_zero_is_the_identity_and_learns(make):
    block, x = make(32, gate=0.0), torch.randn(2, 32, 6, 6)
    y = block(x)
    assert torch.equal(y, x)
    (y * torch.randn_like(y)).sum().backward()
    assert block.gamma.shape == (32,)
    assert block.gamma.grad.abs().min() > 0


@pytest.mark.parametrize("make", [CoTAttention, OutlookAttention])
def test_a_gate_scales_the_block(make):
    gated, plain, x = make(32, gate=0.25).eval(), make(32).eval(), torch.randn(2, 32, 6, 6)
    plain.load_state_dict({k: v for k, v in gated.state_dict().items() if k != "gamma"})
    assert torch.allclose(gated(x), x + 0.25 * plain(x), atol=1e-6)


def test_kernel_and_factor_reach_the_layers_of_cot():
    block = CoTAttention(32, kernel_size=5, factor=8)
    assert block.key_embed.conv.kernel_size == (5, 5)
    assert block.attention_mean.weight.shape == (32 * 25, 8, 1, 1)


@pytest.mark.parametrize("host, block", [(C3k2CoT, CoTAttention), (C3k2Outlook, OutlookAttention)])
@pytest.mark.parametrize("c3k, count", [(False, 2), (True, 4)])
def test_composites_replace_every_bottlenecks_second_convolution(host, block, c3k, count):
    from ultralytics.nn.modules import C3k2

    ours, stock = host(64, 128, 2, c3k), C3k2(64, 128, 2, c3k)
    assert sum(isinstance(m, block) for m in ours.modules()) == count
    mine = {k: v.shape for k, v in ours.state_dict().items()}
    kept = {
        k: v.shape for k, v in stock.state_dict().items() if ".m." not in f".{k}" or ".cv2." not in k.split("m.", 1)[1]
    }
    assert kept
    assert all(mine[k] == shape for k, shape in kept.items())
