"""What a block has to compute and to move, and how fast the machine can do that at best."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..timing import wait


@dataclass(frozen=True)
class Machine:
    """Measured rates that a limit is computed from: multiply-adds and bytes per second."""

    device: str
    macs: float
    bytes: float

    def limit(self, macs: float, traffic: float) -> float:
        """Seconds that the arithmetic or the traffic needs at least, whichever is longer."""
        return max(macs / self.macs, traffic / self.bytes)


def matmul_rate(device: str = "cpu", size: int = 1024) -> float:
    """Multiply-adds per second of a float32 matrix product, best of several."""
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    return size**3 / _best(lambda: a @ b, device)


def copy_rate(device: str = "cpu", size: int = 1 << 24) -> float:
    """Bytes per second, read and written, of copying a float32 tensor far larger than the caches, best of several."""
    a = torch.randn(size, device=device)
    b = torch.empty_like(a)
    return 2 * a.element_size() * size / _best(lambda: b.copy_(a), device)


def _best(function: Callable[[], object], device: str) -> float:
    """The shortest of 40 runs, in seconds."""
    best = float("inf")
    for _ in range(40):
        wait(device)
        start = time.perf_counter()
        function()
        wait(device)
        best = min(best, time.perf_counter() - start)
    return best


def cost(module: nn.Module, x: Tensor) -> tuple[float, float]:
    """Multiply-adds of one forward pass, and the bytes that must move: input, output and weights, once each."""
    total = 0

    def count(part, inputs, output):
        nonlocal total
        total += part.macs(inputs, output) if hasattr(part, "macs") else part.weight[0].numel() * output.numel()

    # A module that counts for itself counts what is inside it, too.
    counting = [part for part in module.modules() if hasattr(part, "macs")]
    inside = {inner for part in counting for inner in part.modules() if inner is not part}
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d) and part not in inside]
    hooks = [part.register_forward_hook(count) for part in {*counting, *convolutions} - inside]
    with torch.inference_mode():
        y = module(x)
    for hook in hooks:
        hook.remove()
    weights = sum(p.numel() for p in module.parameters())
    return total, x.element_size() * (x.numel() + y.numel() + weights)
