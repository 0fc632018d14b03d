"""Local mix: every pixel sums its k x k neighbours with weights of its own, shared by groups of channels.

    out[b, c, y, x] = sum over (i, j) of weight[b, g(c), (i, j), y, x] * v[b, c, y + i - r, x + j - r],   r = k // 2

with zeros outside the map. It is the aggregation of the Contextual Transformer block (CoTNet, arXiv 2107.12292,
"local matrix multiplication") and, with (2k - 1) x (2k - 1) taps, outlook attention (VOLO, arXiv 2106.13112).

Every form has the signature `mix(v, weight, window, interleaved)`; `reference` is the definition.
"""

from __future__ import annotations

from torch import Tensor

from ..derivatives import HandWritten
from ..route import Route, route
from . import cpu, cpu_bags, cuda, exported
from .relation import local_relation
from .window import Window, square

__all__ = ["Window", "local_mix", "local_relation", "square", "window_mix"]


def local_mix(v: Tensor, weight: Tensor, kernel_size: int, *, interleaved: bool = False) -> Tensor:
    """Sum the k x k neighbours of every pixel with that pixel's own weights.

    Args:
        v: values, (B, C, H, W).
        weight: (B, G * k * k, H, W), group-major; C must be a multiple of G.
        kernel_size: side k of the window, odd.
        interleaved: channel c belongs to group c % G (CoTNet) instead of c // (C / G) (attention heads).

    Returns:
        (B, C, H, W) in the dtype of `v`, and channels last if `v` is. Half precisions are summed in float32.

    Raises:
        ValueError: if shapes, kernel or groups do not fit.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"local_mix needs an odd kernel_size; got {kernel_size}. Use {kernel_size + 1}.")
    return window_mix(v, weight, square(kernel_size), interleaved=interleaved)


def window_mix(
    v: Tensor, weight: Tensor, window: Window, *, interleaved: bool = False, way: Route | None = None
) -> Tensor:
    """`local_mix` for any rectangle of neighbours; `weight` is (B, G * window.taps, H, W).

    `way` is the route of the call, for a caller who knows it already.
    """
    way = way or route()
    if way in ("traced", "exported"):
        return exported.mix(v, weight, window, interleaved)
    _check(v, weight, window)
    form = _hand_written(v, weight, window, interleaved)
    if way == "eager":
        return form(v, weight, window, interleaved)
    from . import compiled  # registers the operators when a graph is first compiled

    return compiled.mix(form.name, v, weight, window, interleaved)


def _hand_written(v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> HandWritten:
    """The fastest form for these tensors."""
    if cuda.fits(v):
        return cuda.mix
    if not interleaved and cpu_bags.fits(v, weight.shape[1] // window.taps, window):
        return cpu_bags.mix
    return cpu.mix


def _check(v: Tensor, weight: Tensor, window: Window) -> None:
    if v.dim() != 4 or weight.dim() != 4:
        raise ValueError(f"local_mix needs v and weight of 4 axes; got {tuple(v.shape)} and {tuple(weight.shape)}.")
    if v.shape[0] != weight.shape[0] or v.shape[2:] != weight.shape[2:] or weight.shape[1] % window.taps:
        raise ValueError(
            f"local_mix needs weight (B, groups * {window.taps}, H, W) for v {tuple(v.shape)}; "
            f"got {tuple(weight.shape)}."
        )
    groups = weight.shape[1] // window.taps
    if not groups or v.shape[1] % groups:
        raise ValueError(
            f"local_mix needs channels divisible by groups; got {v.shape[1]} channels and {groups} groups. "
            f"Change one of them."
        )
