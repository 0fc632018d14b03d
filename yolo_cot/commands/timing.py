"""Measuring on a machine that is not quiet: interleaved runs, medians; peak memory; the machine's own limits."""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


def interleaved(functions: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu") -> dict[str, float]:
    """Median seconds of each function; every round runs each of them once, so all meet the same disturbances.

    The order changes from round to round: what runs behind a large function finds colder caches.

    Args:
        functions: what to run, by name.
        rounds: rounds that count; two more warm up.
        device: a CUDA device is waited for before and after each run.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    shuffled = random.Random(0)
    for index in range(rounds + 2):
        for name, function in shuffled.sample(list(functions.items()), len(functions)):
            _wait(device)
            start = time.perf_counter()
            function()
            _wait(device)
            if index >= 2:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(samples) for name, samples in times.items()}


def peak_memory(function: Callable[[], object], device: str = "cpu") -> int:
    """Most bytes of tensors alive at one time while `function` runs, beyond what was alive before."""
    function()
    if torch.device(device).type == "cuda":
        _wait(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        _wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with _without_stderr(), torch.profiler.profile(activities=cpu, profile_memory=True) as profile:
        function()
    results = profile.profiler.kineto_results if profile.profiler else None
    events = [e for e in results.events() if e.name() == "[memory]"] if results else []
    alive = peak = 0
    # torch 2.3 has microseconds only
    for event in sorted(events, key=lambda e: e.start_ns() if hasattr(e, "start_ns") else e.start_us()):
        alive += event.nbytes()
        peak = max(peak, alive)
    return peak


def matmul_rate(device: str = "cpu", size: int = 1024) -> float:
    """Multiply-adds per second of a float32 matrix product, best of several."""
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    return size**3 / _best(lambda: a @ b, device)


def copy_rate(device: str = "cpu", size: int = 1 << 24) -> float:
    """Bytes per second, read and written, of copying a float32 tensor far larger than the caches, best of several."""
    a = torch.randn(size, device=device)
    b = torch.empty_like(a)
    return 2 * a.element_size() * size / _best(lambda: b.copy_(a), device)


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest wanted value."""
    return ((got - wanted).abs().max() / wanted.abs().max().clamp_min(1e-12)).item()


def _best(function: Callable[[], object], device: str) -> float:
    best = float("inf")
    for _ in range(40):
        _wait(device)
        start = time.perf_counter()
        function()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Keep what native code writes from the terminal: the profiler of torch 2.15 reports each start and stop there."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
