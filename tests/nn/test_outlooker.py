"""The Outlooker against a definition written tap by tap, its gate, its drop path and its errors."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.live import open_gates
from tests.tolerances import GOLDEN, PARITY, distance
from yolo_cot.nn import Outlooker
from yolo_cot.ops.route import recorded_for


def by_taps(block: Outlooker, x: Tensor) -> Tensor:
    """The published block, pixel by pixel and tap by tap, for one image without a batch axis: (C, H, W)."""
    attn = block.attn
    k, s, n, r = attn.kernel_size, attn.stride, attn.num_heads, attn.kernel_size // 2
    c, height, width = x.shape
    last = x.permute(1, 2, 0)

    def norm(layer, t):
        centred = t - t.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias

    def linear(layer, t):
        y = t @ layer.weight.flatten(1).T
        return y if layer.bias is None else y + layer.bias

    normed = norm(block.norm1, last)
    values = linear(attn.v, normed)
    mixed = [[x.new_zeros(c) for _ in range(width)] for _ in range(height)]
    for top in range(0, height, s):
        for left in range(0, width, s):
            pooled = normed[top : top + s, left : left + s].mean((0, 1))
            weights = linear(attn.attn, pooled).view(n, k * k, k * k) * (c // n) ** -0.5
            weights = weights.exp() / weights.exp().sum(-1, keepdim=True)
            window = torch.zeros(k * k, c, dtype=x.dtype)
            for j in range(k * k):
                y, z = top + j // k - r, left + j % k - r
                if 0 <= y < height and 0 <= z < width:
                    window[j] = values[y, z]
            for i in range(k * k):
                y, z = top + i // k - r, left + i % k - r
                if 0 <= y < height and 0 <= z < width:
                    heads = [weights[h, i] @ window[:, h * c // n : (h + 1) * c // n] for h in range(n)]
                    mixed[y][z] = mixed[y][z] + torch.cat(heads)
    y = last + linear(attn.proj, torch.stack([torch.stack(row) for row in mixed]))
    hidden = linear(block.mlp.fc1, norm(block.norm2, y))
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return (y + linear(block.mlp.fc2, hidden)).permute(2, 0, 1)


@pytest.mark.parametrize(
    "channels, size, arguments",
    [
        (12, (5, 4), {"num_heads": 3}),
        (12, (5, 4), {"num_heads": 2, "stride": 2}),
        (8, (6, 7), {"num_heads": 1, "kernel_size": 5, "padding": 2, "stride": 2, "qkv_bias": True}),
        (10, (4, 4), {"num_heads": 5, "kernel_size": 5, "padding": 2, "mlp_ratio": 0.5}),
        (6, (1, 3), {"num_heads": 2, "stride": 3, "mlp_ratio": 4}),
    ],
)
def test_value_and_gradients_match_the_definition_tap_by_tap(channels, size, arguments):
    block = Outlooker(channels, **arguments).double()
    for parameter in block.parameters():  # weights as wide as trained ones, so that the attention is not flat
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(1, channels, *size, dtype=torch.float64, requires_grad=True)
    seed = torch.randn_like(x)
    wanted = torch.autograd.grad((by_taps(block, x[0]) * seed[0]).sum(), [x, *block.parameters()])
    y = block(x)
    assert distance(y[0], by_taps(block, x[0])) < GOLDEN
    for got, right in zip(torch.autograd.grad((y * seed).sum(), [x, *block.parameters()]), wanted):
        assert distance(got, right) < GOLDEN


def test_gate_0_is_the_identity_and_gate_1_the_block():
    x = torch.randn(2, 16, 5, 6, dtype=torch.float64)
    plain, closed, opened = (Outlooker(16, 2, stride=2, gate=g).double() for g in (None, 0.0, 1.0))
    for gated in (closed, opened):
        gated.load_state_dict({**plain.state_dict(), "gamma": gated.gamma})
    assert torch.equal(closed(x), x)
    assert distance(opened(x), plain(x)) < PARITY
    assert distance(plain(x), x) > 1e-3
    closed(x).sum().backward()
    assert closed.gamma.grad.abs().min() > 0


def test_folding_the_scale_changes_nothing():
    block = open_gates(Outlooker(64, gate=0.5)).double().eval()
    x = torch.randn(2, 64, 6, 6, dtype=torch.float64)
    before = block(x)
    for module in (block, block.attn):
        module.fuse()
    assert block.attn.fused
    assert distance(block(x), before) < PARITY


def test_drop_path_passes_whole_images_by_in_training_alone():
    block = Outlooker(16, drop_path=0.5)
    x = torch.randn(64, 16, 3, 3)
    passed = (block.train()(x) == x).flatten(1).all(1)
    # Both shares are dropped for a quarter of the images.
    assert 4 <= passed.sum() <= 32
    assert not (block.eval()(x) == x).flatten(1).all(1).any()
    torch.manual_seed(1)
    mean = torch.stack([block.train()(x[:1]) for _ in range(400)]).mean(0)
    assert distance(mean, block.eval()(x[:1])) < 0.05


def test_starts_with_small_weights_and_zero_biases():
    block = Outlooker(64)
    for name, parameter in block.named_parameters():
        if parameter.dim() == 4:
            assert 0.015 < parameter.std() < 0.025, name
        elif name.endswith("bias"):
            assert not parameter.any(), name


def test_behind_a_gate_the_weights_are_wide_enough_to_open_it():
    x = torch.randn(4, 64, 8, 8)
    added = {gate: Outlooker(64, gate=gate).attend(x).std() for gate in (None, 0.0)}
    assert added[0.0] > 3 * added[None]


def test_survives_channels_last_and_half():
    block, x = Outlooker(32, stride=2).eval(), torch.randn(2, 32, 5, 6)
    assert distance(block(x.to(memory_format=torch.channels_last)), block(x)) < 1e-5
    assert distance(block.to(torch.bfloat16)(x.bfloat16()).float(), block.float()(x)) < 0.05


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"num_heads": 5}, ValueError, r"Outlooker needs c1 divisible by num_heads; got c1=16, num_heads=5. Use 1, 2"),
        ({"kernel_size": 4}, ValueError, r"needs an odd kernel_size, .* got 4. Use 5"),
        ({"kernel_size": 5}, ValueError, r"padding = kernel_size // 2, .* Use padding=2"),
        ({"mlp_ratio": 0.01}, ValueError, r"mlp_ratio of at least 1 / c1; got mlp_ratio=0.01, c1=16"),
        ({"mlp_ratio": "3"}, TypeError, r"Outlooker needs a finite number for mlp_ratio; got '3'"),
        ({"drop_path": 1.0}, ValueError, r"Outlooker needs drop_path from 0 up to, not including, 1; got 1.0"),
        ({"gate": "open"}, TypeError, r"Outlooker needs a finite number for gate; got 'open'"),
        ({"qkv_bias": 1}, TypeError, r"needs True or False for qkv_bias; got 1"),
    ],
)
def test_a_wrong_argument_is_told(arguments, error, message):
    with pytest.raises(error, match=message):
        Outlooker(16, **arguments)


def test_the_norm_is_torchs_over_channels():
    from yolo_cot.nn.transformer import ChannelNorm

    norm, x = ChannelNorm(7), torch.randn(2, 7, 3, 4)
    torch.nn.init.normal_(norm.weight)
    wanted = F.layer_norm(x.movedim(1, 3), (7,), norm.weight, norm.bias).movedim(3, 1)
    assert distance(norm(x), wanted) < 1e-6


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_traced_for_openvino_gives_the_same_values(stride):
    block = open_gates(Outlooker(32, stride=stride, gate=0.5)).double().eval()
    torch.nn.init.normal_(block.norm1.weight)
    torch.nn.init.normal_(block.norm1.bias)
    x = torch.randn(2, 32, 7, 5, dtype=torch.float64)
    with recorded_for("openvino"), torch.no_grad():
        graph = torch.jit.trace(block, x)
    code = str(graph.inlined_graph)
    assert "index_select" in code
    assert "layer_norm" not in code
    assert distance(graph(x), block(x)) < PARITY
