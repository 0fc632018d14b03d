"""What a block looks at in one image, in numbers: windows, maps, a kernel, shares; and how they are counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Call(NamedTuple):
    """One call of a sub-module for one image: what went in and what came out, without the batch axis, in float32."""

    inputs: tuple[Tensor, ...]
    output: Tensor


class Map(NamedTuple):
    """A number for every cell of the feature map, (H, W), and the ends of its colour scale."""

    title: str
    values: Tensor
    low: float
    high: float


@dataclass
class Reading:
    """What one block looks at in one image.

    Attributes:
        windows: weights of the neighbourhood, (heads, side * side, h, w), none negative, each window's sum 1; None for
            a block that has no windows.
        even: the windows of attention without any preference, (1, side * side, h, w).
        step: distance of the windows' centres, in cells of the feature map; the first is its first cell.
        size: height and width of the feature map, in cells.
        branches: maps of how the block's branches share each cell.
        entropies: maps of how widely each window is spread, one for each head.
        kernel: mean size of each tap of the learned k x k convolution, (k, k), sum 1.
        shares: the dynamic context's share in each channel, (C,).
        at: for a block of the user's, the weights that it gives for the cell at a row and a column, (heads, H, W).
        numbers: what is counted, name -> value.
        heads: the same for each head, where there are several.
    """

    windows: Tensor | None = None
    even: Tensor | None = None
    step: int = 1
    size: tuple[int, int] = (0, 0)
    branches: list[Map] = field(default_factory=list)
    entropies: list[Map] = field(default_factory=list)
    kernel: Tensor | None = None
    shares: Tensor | None = None
    at: Callable[[int, int], Tensor] | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    heads: list[dict[str, float]] = field(default_factory=list)

    @property
    def side(self) -> int:
        """Side of a window, in cells; 0 without windows."""
        return 0 if self.windows is None else math.isqrt(self.windows.shape[1])

    def add_windows(self, windows: Tensor, size: tuple[int, int], even: Tensor | None = None, step: int = 1) -> None:
        """Keep the windows, and count and map their entropy, in nats and relative to that of `even` windows.

        Args:
            windows: (heads, taps, h, w).
            size: height and width of the feature map; h and w are those over `step`, rounded up.
            even: (1, taps, h, w), the windows without any preference; None for the same weight on every tap.
            step: distance of the windows' centres.
        """
        heads, taps = windows.shape[:2]
        if even is None:
            even = torch.full_like(windows[:1], 1 / taps)
        self.windows, self.even, self.step, self.size = windows, even, step, size
        spread, most = entropy(windows, 1), entropy(even, 1)
        relative = torch.where(most > 0, spread / most, torch.ones_like(spread))
        cells = relative.repeat_interleave(step, 1).repeat_interleave(step, 2)[:, : size[0], : size[1]]
        # A scale of a tenth at least, so that windows without preference do not look as if they had one.
        low, high = min(relative.min().item(), 0.9), max(relative.max().item(), 1.0)
        self.entropies = [Map(head_name(head, heads), cells[head], low, high) for head in range(heads)]
        means = [
            {"entropy": spread[head].mean().item(), "entropy_relative": relative[head].mean().item()}
            for head in range(heads)
        ]
        self.heads = means if heads > 1 else []
        self.numbers |= {name: sum(mean[name] for mean in means) / heads for name in means[0]}

    def compare_branches(self, dynamic: Tensor, static: Tensor) -> None:
        """Count and map the dynamic branch's share: its root mean square over the sum of both branches'."""
        squares = [branch.square().mean(0) for branch in (dynamic, static)]
        (d, s), (all_d, all_s) = ([x.sqrt() for x in squares], [x.mean().sqrt().item() for x in squares])
        share = d / (d + s).clamp_min(1e-12)
        self.branches.append(Map("share of the dynamic branch", share, share.min().item(), share.max().item()))
        self.numbers["dynamic_rms"], self.numbers["static_rms"] = all_d, all_s
        self.numbers["dynamic_share"] = all_d / max(all_d + all_s, 1e-12)


def head_name(head: int, heads: int) -> str:
    """What a head is called, counted from 1; the only one is called the window."""
    return f"head {head + 1}" if heads > 1 else "window"


def entropy(p: Tensor, axis: int) -> Tensor:
    """Entropy in nats along an axis: ln(n) where the n entries are equal, 0 where one has everything."""
    return torch.special.entr(p).sum(axis)


def kernel_of(conv: Any) -> Tensor:
    """Mean |weight| of every tap of an Ultralytics `Conv`, batch norm's scale included, (k, k), sum 1."""
    weight = conv.conv.weight.detach().float().cpu()
    if (norm := getattr(conv, "bn", None)) is not None:
        scale = norm.weight.detach().float() / (norm.running_var.float() + norm.eps).sqrt()
        weight = weight * scale.cpu().view(-1, 1, 1, 1)
    taps = weight.abs().mean((0, 1))
    return taps / taps.sum().clamp_min(1e-12)
