"""The benchmark refuses to time what is wrong, and counts what is computed."""

from __future__ import annotations

import pytest
import torch

from yolo_cot.nn import CoTAttention, OutlookAttention
from yolo_cot.nn.published import PublishedOutlookAttention
from yolo_cot.tools import bench_blocks
from yolo_cot.tools.bench_blocks import Machine, ParityError, check_parity, cost, fused
from yolo_cot.tools.timing import copy_rate, interleaved, matmul_rate, peak_memory


def test_no_time_is_printed_when_the_forms_differ(monkeypatch):
    def wrong(block):
        published = PublishedOutlookAttention(block)
        with torch.no_grad():
            published.proj.bias += 1
        return published

    monkeypatch.setitem(bench_blocks.PUBLISHED, "OutlookAttention", (OutlookAttention, wrong))
    monkeypatch.setattr(bench_blocks, "interleaved", lambda *a, **k: pytest.fail("a time was taken"))
    with pytest.raises(ParityError, match="output differs from the published form by"):
        bench_blocks.measure("OutlookAttention", "n", "P5", 1, Machine("cpu", 1e9, 1e9), 1)


def test_parity_looks_at_gradients_too():
    block = OutlookAttention(32).eval()
    published = PublishedOutlookAttention(block).eval()
    x = torch.randn(1, 32, 5, 5)
    check_parity("OutlookAttention", block, published, fused(block), x)
    right = published.forward
    published.forward = lambda x: right(x) + 0.01 * (x - x.detach())  # the same values, another gradient
    with pytest.raises(ParityError, match="input gradient"):
        check_parity("OutlookAttention", block, published, fused(block), x)


def test_rounds_are_interleaved_and_warmed_up():
    calls = []
    interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert "".join(calls) == "ab" * 5


def test_peak_memory_sees_what_is_alive_at_one_time():
    def run():
        a = torch.empty(1 << 20)  # 4 MiB
        b = torch.empty(1 << 20)
        del a, b
        torch.empty(1 << 20)

    assert 8 << 20 <= peak_memory(run) < 9 << 20


def test_rates_are_positive_and_the_limit_is_the_slower_of_the_two():
    assert matmul_rate(size=64) > 0
    assert copy_rate(size=1 << 12) > 0
    machine = Machine("cpu", macs=10.0, bytes=2.0)
    assert machine.limit(100, 4) == 10
    assert machine.limit(10, 40) == 20


def test_multiply_adds_are_those_of_the_fused_block_counted_by_hand():
    c, n = 32, 6 * 5
    macs, traffic = cost(fused(CoTAttention(c)), torch.randn(1, c, 6, 5))
    convolutions = n * (9 * c * c // 4 + c * (c + c // 2) + c * c // 2 + c * c // 2)
    assert macs == convolutions + 4 * c * n
    assert traffic == 4 * (2 * c * n + 9 * c * c // 4 + c + c * 3 * c // 2 + 3 * c // 2 + c * c)

    macs, _ = cost(fused(OutlookAttention(c, 1)), torch.randn(1, c, 6, 5))
    assert macs == n * (2 * c * c + 81 * c) + 3 * 81 * n + 25 * c * n
