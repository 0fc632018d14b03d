"""The published forms, written out, against the blocks: values and gradients, odd sizes, other kernels."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import PARITY, distance
from yolo_cot.nn import CoTAttention, CoTBlock, CoXtBlock, LocalSelfAttention, OutlookAttention
from yolo_cot.nn.cot_block import ContextEmbed, side_by_side
from yolo_cot.reference.published import PublishedCoTAttention, PublishedCoTBlock, PublishedOutlookAttention

CASES = {
    "cot": (lambda: CoTAttention(16), PublishedCoTAttention),
    "cot, kernel 5": (lambda: CoTAttention(16, 5, 2), PublishedCoTAttention),
    "paper's cot": (lambda: CoTBlock(32), PublishedCoTBlock),
    "paper's cot, kernel 5": (lambda: CoTBlock(24, 5, factor=4, share=4, reduction=8), PublishedCoTBlock),
    "paper's coxt": (lambda: CoXtBlock(32), PublishedCoTBlock),
    "paper's coxt, kernel 5": (lambda: CoXtBlock(48, 5, share=4), PublishedCoTBlock),
    "outlook": (lambda: OutlookAttention(24, 3), PublishedOutlookAttention),
    "outlook, kernel 5": (lambda: OutlookAttention(24, 2, 5, 2, qkv_bias=True), PublishedOutlookAttention),
    "outlook, stride 2": (lambda: OutlookAttention(24, 3, stride=2, qk_scale=0.3), PublishedOutlookAttention),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [(7, 5), (8, 8), (1, 9)])
@pytest.mark.parametrize("training", [True, False])
def test_values_and_gradients_are_those_of_the_published_form(name, size, training):
    build, published = CASES[name]
    block = build().double()
    other = published(block).double()
    block.train(training)
    other.train(training)
    x = torch.randn(2, block.c1, *size, dtype=torch.float64)
    results = []
    for module in (block, other):
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        y.backward(torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y))
        results.append([y, leaf.grad])
    assert max(distance(got, wanted) for got, wanted in zip(*results)) < PARITY * 100


def test_the_parameters_are_the_same_ones():
    block = CoTAttention(16)
    theirs = PublishedCoTAttention(block).state_dict()
    fresh = CoTAttention(16)
    fresh.load_state_dict(theirs)
    assert all(torch.equal(v, block.state_dict()[k]) for k, v in fresh.state_dict().items())


@pytest.mark.parametrize("build", [lambda: CoTAttention(32), lambda: OutlookAttention(64), lambda: CoTBlock(32)])
def test_deployed_blocks_give_a_batch_what_they_give_its_images(build):
    from yolo_cot.commands.bench.blocks import fused

    block, x = fused(build().double()), torch.randn(3, build().c1, 6, 5, dtype=torch.float64)
    with torch.inference_mode():
        together = block(x)
        assert all(distance(block(x[i : i + 1])[0], together[i]) < PARITY for i in range(3))
    assert distance(block(x), together) < PARITY


@pytest.mark.parametrize("groups", [1, 2])
def test_the_embedding_is_that_of_both_maps_side_by_side(groups):
    embed = ContextEmbed(16, 12, groups).double().train()
    maps = [torch.randn(2, 16, 7, 5, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    both = torch.cat(maps, 1) if groups == 1 else torch.stack(maps, 2).flatten(1, 2)
    wanted, got = embed.norm(embed.conv(both)).relu(), embed(side_by_side(*maps, groups))
    leaves, seed = [*maps, embed.conv.weight], torch.linspace(-1, 1, got.numel()).double().view_as(got)
    assert distance(got, wanted) < PARITY
    for a, b in zip(torch.autograd.grad(got, leaves, seed), torch.autograd.grad(wanted, leaves, seed)):
        assert distance(a, b) < PARITY * 100


def tap_by_tap(block, x):
    """Local self-attention as the paper writes it, one head, one pixel's neighbour after the other."""
    k, r, n = block.kernel_size, block.kernel_size // 2, block.num_heads
    queries, keys, values = (m(x).chunk(n, 1) for m in (block.query, block.key, block.value))
    h, w = x.shape[2:]
    out = []
    for q, key, value in zip(queries, keys, values):
        pads = [torch.nn.functional.pad(t, (r, r, r, r)) for t in (key, value)]
        shifts = [[p[:, :, i : i + h, j : j + w] for i in range(k) for j in range(k)] for p in pads]
        logits = [(q * (s + block.mix.position[t])).sum(1, keepdim=True) for t, s in enumerate(shifts[0])]
        attention = (torch.stack(logits) * block.mix.scale).softmax(0)
        out.append((attention * torch.stack(shifts[1])).sum(0))
    return torch.cat(out, 1)


@pytest.mark.parametrize("size", [(7, 5), (1, 9), (1, 1)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_local_self_attention_is_the_papers_tap_by_tap(size, kernel):
    block = LocalSelfAttention(24, kernel, num_heads=3, qk_scale=0.7).double()
    torch.nn.init.normal_(block.mix.position)
    x = torch.randn(2, 24, *size, dtype=torch.float64, requires_grad=True)
    results = []
    for form in (block, lambda t: tap_by_tap(block, t)):
        y = form(x)
        wanted = [x, *block.parameters()]
        gradients = torch.autograd.grad(y, wanted, torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y))
        results.append([y, *gradients])
    assert max(distance(got, wanted) for got, wanted in zip(*results)) < PARITY * 100


@pytest.mark.parametrize("fusion", ["static", "dynamic", "linear"])
def test_the_ablations_of_the_paper_are_parts_of_the_full_block(fusion):
    full, part = CoTBlock(32).double().eval(), CoTBlock(32, fusion=fusion).double().eval()
    part.load_state_dict({k: v for k, v in full.state_dict().items() if k in part.state_dict()})
    assert len(part.state_dict()) < len(full.state_dict())
    x = torch.randn(2, 32, 6, 5, dtype=torch.float64)
    keys = full.key_embed(x)
    wanted = {"static": keys, "dynamic": full.dynamic(x, keys), "linear": keys + full.dynamic(x, keys)}[fusion]
    assert distance(part(x), wanted) < PARITY


def test_a_last_batch_of_one_image_trains_and_leaves_the_running_statistics():
    block = CoTBlock(32).train()
    before = block.fusion.reduce.bn.running_mean.clone()
    block(torch.randn(1, 32, 4, 4)).sum().backward()
    assert torch.equal(block.fusion.reduce.bn.running_mean, before)
    block(torch.randn(2, 32, 4, 4))
    assert not torch.equal(block.fusion.reduce.bn.running_mean, before)
