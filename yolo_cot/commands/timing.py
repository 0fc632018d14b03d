"""Measuring on a machine that is not quiet: interleaved runs, medians; peak memory; the name of the device."""

from __future__ import annotations

import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psutil
import torch
from torch import Tensor

from .output import track


class Ratio(NamedTuple):
    """How many times as long one function takes: the median of the rounds' ratios, and their quartiles."""

    value: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """The distance of the quartiles, in the median."""
        return (self.high - self.low) / self.value


def ratio(times: Sequence[float], others: Sequence[float]) -> Ratio:
    """The ratio of two functions that `samples` has run in the same rounds."""
    found = [one / other for one, other in zip(times, others)]
    if len(found) < 2:
        return Ratio(found[0], found[0], found[0])
    low, middle, high = statistics.quantiles(found, n=4, method="inclusive")
    return Ratio(middle, low, high)


def busy() -> str:
    """A warning, if other programs take more than a fifth of the machine just now; "" if not."""
    taken = psutil.cpu_percent(interval=0.5)
    if taken <= 20:
        return ""
    return f"The machine is busy, other programs take {taken:.0f} % of it: ratios may be far off. Repeat them later."


def interleaved(
    functions: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu", progress: bool = False
) -> dict[str, float]:
    """Median seconds of each function; arguments as those of `samples`."""
    return {name: statistics.median(times) for name, times in samples(functions, rounds, device, progress).items()}


def samples(
    functions: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu", progress: bool = False
) -> dict[str, list[float]]:
    """Seconds of each function in each round; every round runs each of them once, so all meet the same disturbances.

    The order changes from round to round: what runs behind a large function finds colder caches.

    Args:
        functions: what to run, by name.
        rounds: rounds that count; two more warm up.
        device: a CUDA device is waited for before and after each run.
        progress: whether to show it, between the rounds, on the terminal.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    shuffled = random.Random(0)
    counted = track(range(rounds + 2), "timing") if progress else range(rounds + 2)
    for index in counted:
        for name, function in shuffled.sample(list(functions.items()), len(functions)):
            wait(device)
            start = time.perf_counter()
            function()
            wait(device)
            if index >= 2:
                times[name].append(time.perf_counter() - start)
    return times


def peak_memory(function: Callable[[], object], device: str = "cpu") -> int:
    """Most bytes of tensors alive at one time while `function` runs, beyond what was alive before."""
    function()
    if torch.device(device).type == "cuda":
        wait(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        wait(device)
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


def device_name(device: str | torch.device) -> str:
    """Name of the GPU, or of the processor's family."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} processor"


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest wanted value."""
    return ((got - wanted).abs().max() / wanted.abs().max().clamp_min(1e-12)).item()


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


def wait(device: str) -> None:
    """Wait until a CUDA device has done its work; others have when a call returns."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
