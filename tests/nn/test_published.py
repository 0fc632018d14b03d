"""The published forms, written out, against the blocks: values and gradients, odd sizes, other kernels."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import PARITY, distance
from yolo_cot.nn import CoTAttention, OutlookAttention
from yolo_cot.nn.published import PublishedCoTAttention, PublishedOutlookAttention

CASES = {
    "cot": (lambda: CoTAttention(16), PublishedCoTAttention),
    "cot, kernel 5": (lambda: CoTAttention(16, 5, 2), PublishedCoTAttention),
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


@pytest.mark.parametrize("build", [lambda: CoTAttention(32), lambda: OutlookAttention(64)])
def test_deployed_blocks_give_a_batch_what_they_give_its_images(build):
    from yolo_cot.tools.bench_blocks import fused

    block, x = fused(build().double()), torch.randn(3, build().c1, 6, 5, dtype=torch.float64)
    with torch.inference_mode():
        together = block(x)
        assert all(distance(block(x[i : i + 1])[0], together[i]) < PARITY for i in range(3))
    assert distance(block(x), together) < PARITY
