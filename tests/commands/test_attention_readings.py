"""What is said of a block is what it does: windows, shares and entropies against the block's own output."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from yolo_cot.commands.attention.readers import READERS
from yolo_cot.commands.attention.reading import Call
from yolo_cot.nn import CoTAttention, OutlookAttention
from yolo_cot.nn.cot_block import CoTBlock, CoXtBlock
from yolo_cot.nn.local_self_attention import LocalSelfAttention
from yolo_cot.plugin.catalog import INSERTABLE


def reading(block, x):
    """What a block looks at in one map, and its output."""
    reader, calls = READERS[type(block)], {}
    for name in reader.listen:
        if part := dict(block.named_children()).get(name):

            def keep(module, inputs, output, name=name):
                calls[name] = Call(tuple(i[0] for i in inputs), output[0])

            part.register_forward_hook(keep)
    with torch.no_grad():
        output = block.eval()(x)
        return reader.read(block, calls), output[0]


def test_every_block_that_attends_can_be_read():
    for name, block in INSERTABLE.items():
        built = block.cls(32, 32) if block.counts_as else block.cls(32)
        readable = any(type(m) in READERS for m in built.modules())
        assert readable is (name != "GatedConv"), name  # that one is the plain convolution to compare with


def test_outlook_windows_are_what_arrives_at_a_pixel():
    block = OutlookAttention(8, num_heads=2)
    for conv in (block.v, block.proj):
        conv.weight.data = torch.eye(8)[:, :, None, None]
    block.proj.bias.data.zero_()
    block.attn.weight.data.normal_()
    x = torch.randn(1, 8, 6, 7)
    seen, _ = reading(block, x)
    assert seen.windows.shape == (2, 25, 6, 7)
    logits = block.attn(x)
    for row, column in ((2, 3), (0, 6)):
        # One bright value at a time: what of it arrives at the pixel is the weight of its place, before it is scaled.
        arrived = torch.zeros(2, 5, 5)
        for i in range(5):
            for j in range(5):
                at = row + i - 2, column + j - 2
                if 0 <= at[0] < 6 and 0 <= at[1] < 7:
                    spot = torch.zeros(1, 8, 6, 7)
                    spot[0, :, at[0], at[1]] = 1
                    arrived[:, i, j] = block.mix(spot, logits)[0, ::4, row, column]
        windows = (3 if 0 < row < 5 else 2) * (3 if 0 < column < 6 else 2)  # that cover the pixel; each gives 1 in all
        window = seen.windows[:, :, row, column].reshape(2, 5, 5)
        inside = arrived > 0
        assert torch.allclose(window[inside], arrived[inside] / windows, atol=1e-6)


def test_attention_without_preference_has_a_relative_entropy_of_one_at_the_border_too():
    block = OutlookAttention(8, num_heads=2)
    block.attn.weight.data.zero_()
    block.attn.bias.data.zero_()
    seen, _ = reading(block, torch.randn(1, 8, 5, 4))
    assert torch.allclose(seen.windows, seen.even.expand_as(seen.windows), atol=1e-6)
    assert seen.numbers["entropy_relative"] == pytest.approx(1, abs=1e-5)
    assert all(m.values.sub(1).abs().max() < 1e-5 for m in seen.entropies)
    assert len(seen.heads) == 2


def test_a_sharp_window_has_no_entropy():
    block = OutlookAttention(8, num_heads=1, stride=2)
    block.attn.weight.data.zero_()
    block.attn.bias.data = torch.tensor([50.0 if n % 9 == 5 else 0.0 for n in range(81)])  # all to the right neighbour
    seen, _ = reading(block, torch.randn(1, 8, 6, 5))
    assert seen.step == 2
    assert seen.side == 3
    assert seen.windows.shape == (1, 9, 3, 3)
    assert seen.size == (6, 5)
    assert seen.entropies[0].values.shape == (6, 5)
    assert seen.windows[0, 5].min() == pytest.approx(1)
    assert seen.numbers["entropy"] == pytest.approx(0, abs=1e-4)


def test_the_tutorials_block_by_hand():
    block = CoTAttention(8, groups=1)
    calls = {
        "mix": Call((torch.full((8, 2, 3), 4.0), torch.zeros(8, 2, 3), torch.full((8, 2, 3), 12.0)), torch.ones(1))
    }
    seen = READERS[CoTAttention].read(block, calls)
    # Even weights are 1 / 6, so the dynamic branch is 12 / 6 = 2 beside a static 4.
    assert seen.numbers["dynamic_rms"] == pytest.approx(2)
    assert seen.numbers["static_rms"] == pytest.approx(4)
    assert seen.numbers["dynamic_share"] == pytest.approx(1 / 3)
    assert seen.numbers["entropy"] == pytest.approx(math.log(6))
    assert seen.numbers["entropy_relative"] == pytest.approx(1)
    assert [m.values.mean().item() for m in seen.branches] == pytest.approx([1, 1 / 3])
    calls["mix"].inputs[1][:, 1, 2] = 60.0
    seen = READERS[CoTAttention].read(block, calls)
    assert seen.numbers["entropy"] == pytest.approx(0, abs=1e-5)
    assert seen.branches[0].values[1, 2] == pytest.approx(6)


def test_the_kernel_counts_what_batch_norm_does_to_it():
    block = CoTAttention(8, groups=1)
    block.key_embed.conv.weight.data.fill_(1.0)
    block.key_embed.conv.weight.data[0, :, 0, 0] = 9.0
    block.key_embed.bn.weight.data[0] = 0.0  # the channel with the large tap is switched off
    seen, _ = reading(block, torch.randn(1, 8, 4, 4))
    assert torch.allclose(seen.kernel, torch.full((3, 3), 1 / 9))
    block.key_embed.bn.weight.data[0] = 1.0
    assert reading(block, torch.randn(1, 8, 4, 4))[0].kernel[0, 0] > 0.15


@pytest.mark.parametrize("kind, width", [(CoTBlock, 16), (CoXtBlock, 32)])
def test_the_papers_block_shows_its_weights_and_shares(kind, width):
    block = kind(width)
    block.weights.weight.data.zero_()
    block.weights.bias.data.zero_()
    block.weight_norm.bias.data = torch.tensor([3.0 if n % 9 == 2 else 0.0 for n in range(block.weights.out_channels)])
    block.fusion.expand.weight.data.zero_()
    block.fusion.expand.bias.data = torch.tensor([2.0, 0.0]).repeat(width)  # logits of dynamic and static in turn
    seen, _ = reading(block, torch.randn(1, width, 5, 4))
    assert seen.windows.shape == (1, 9, 5, 4)
    assert seen.windows[0, 2].min() == pytest.approx(1)  # the neighbour above and to the right
    assert seen.shares.shape == (width,)
    assert torch.allclose(seen.shares, torch.tensor(2.0).sigmoid().expand(width))
    assert seen.numbers["fusion_share"] == pytest.approx(torch.tensor(2.0).sigmoid().item())


@pytest.mark.parametrize("fusion", ["attention", "linear"])
def test_the_branches_are_those_that_are_added(fusion):
    block = CoTBlock(16, fusion=fusion)
    parts = {}
    block.key_embed.register_forward_hook(lambda m, i, o: parts.update(keys=o))
    x = torch.randn(1, 16, 5, 4)
    seen, output = reading(block, x)
    static = parts["keys"][0] * (1 - seen.shares.view(-1, 1, 1) if fusion == "attention" else 1)
    assert seen.numbers["static_rms"] == pytest.approx(static.square().mean().sqrt().item(), rel=1e-4)
    assert seen.numbers["dynamic_rms"] == pytest.approx((output - static).square().mean().sqrt().item(), rel=1e-4)


def test_a_block_without_a_branch_says_nothing_of_it():
    static, _ = reading(CoTBlock(16, fusion="static"), torch.randn(1, 16, 4, 4))
    assert static.windows is None
    assert static.numbers == {}
    dynamic, _ = reading(CoTBlock(16, fusion="dynamic"), torch.randn(1, 16, 4, 4))
    assert dynamic.windows is not None
    assert "dynamic_share" not in dynamic.numbers


def test_local_self_attention_is_read_per_head():
    block = LocalSelfAttention(8, num_heads=2)
    for conv in (block.value,):
        nn.init.eye_(conv.weight.data.view(8, 8))
    x = torch.randn(1, 8, 5, 6)
    seen, output = reading(block, x)
    assert seen.windows.shape == (2, 9, 5, 6)
    assert torch.allclose(seen.windows.sum(1), torch.ones(2, 5, 6))
    around = x[0, :, 1:4, 2:5].reshape(2, 4, 9)  # of the pixel in row 2, column 3
    mixed = (around * seen.windows[:, None, :, 2, 3]).sum(2).flatten()
    assert torch.allclose(mixed, output[:, 2, 3], atol=1e-5)
