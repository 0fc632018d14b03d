"""How each block is read from what passes through its sub-modules: one row of `READERS` for each class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nn.cot import CoTAttention
from ...nn.cot_block import CoTBlock, CoXtBlock
from ...nn.local_self_attention import LocalSelfAttention
from ...nn.outlook import OutlookAttention
from ...ops.outlook.taps import collect
from .reading import Call, Map, Reading, entropy, kernel_of


class Reader(NamedTuple):
    """How a block is read.

    Attributes:
        listen: its sub-modules whose calls are kept; one that a block does not have is passed over.
        read: makes a reading of the block and those calls.
        help: how to read its pictures, for the page.
    """

    listen: tuple[str, ...]
    read: Callable[[Any, Mapping[str, Call]], Reading]
    help: str


def cot_attention(block: CoTAttention, calls: Mapping[str, Call]) -> Reading:
    """Read the tutorials' block: its softmax over all positions, and its two branches."""
    keys, attention, values = calls["mix"].inputs
    h, w = values.shape[1:]
    weights = attention.flatten(1).softmax(1)
    reading = Reading(kernel=kernel_of(block.key_embed))
    spread = entropy(weights, 1).mean().item()
    reading.numbers.update(entropy=spread, entropy_relative=spread / math.log(h * w) if h * w > 1 else 1.0)
    mean = weights.mean(0).view(h, w) * h * w
    title = "softmax over positions (1 = even)"
    # A scale no narrower than half to one and a half, so that an even softmax does not look like a strong preference.
    reading.branches.append(Map(title, mean, min(mean.min().item(), 0.5), max(mean.max().item(), 1.5)))
    reading.compare_branches(weights.view_as(values) * values, keys)
    return reading


def contextual(block: Any, calls: Mapping[str, Call]) -> Reading:
    """Read the paper's block: the sizes of its k x k weights, and its two contexts."""
    reading = Reading(kernel=kernel_of(block.key_embed))
    if "mix" not in calls:  # built with the static context alone
        return reading
    weights = calls["mix"].inputs[1]
    sizes = weights.reshape(-1, block.kernel_size**2, *weights.shape[1:]).abs()
    windows = (sizes / sizes.sum(1, keepdim=True).clamp_min(1e-12)).mean(0, keepdim=True)
    reading.add_windows(windows, _size(weights))
    if "fusion" in calls:
        dynamic, static = calls["fusion"].inputs
        device = next(block.parameters()).device
        shares = block.fusion.shares(dynamic[None].to(device), static[None].to(device))[0].float().cpu()
        reading.shares = shares[0]
        reading.numbers["fusion_share"] = shares[0].mean().item()
        reading.compare_branches(dynamic * shares[0, :, None, None], static * shares[1, :, None, None])
    elif block.contexts == "linear" and "norm" in calls:
        reading.compare_branches(F.silu(calls["norm"].output), calls["key_embed"].output)
    return reading


def outlook_attention(block: OutlookAttention, calls: Mapping[str, Call]) -> Reading:
    """Read outlook attention: from where, and with which weight, values arrive at each pixel, per head.

    With stride 1 these are the (2k - 1) x (2k - 1) taps of `yolo_cot.ops.outlook`, and even attention gives the
    middle more than the corners, for the windows overlap; with another stride, the mean of the k * k rows of each
    window's attention, k x k taps. Weights on the padding outside the map count.
    """
    values, logits = calls["mix"].inputs
    heads, k = block.num_heads, block.kernel_size
    attention = logits.view(heads, k * k, k * k, *logits.shape[1:]).softmax(2)
    reading = Reading()
    if block.stride == 1:
        even = _merged(torch.full_like(attention[:1], 1 / k**2), k)
        reading.add_windows(_merged(attention, k), _size(values), even)
    else:
        reading.add_windows(attention.mean(1), _size(values), step=block.stride)
    return reading


def _merged(attention: Tensor, k: int) -> Tensor:
    """Effective windows (heads, (2k - 1)**2, h, w) of attention (heads, k * k, k * k, h, w)."""
    heads, size = attention.shape[0], attention.shape[3:]
    windows = collect(attention.reshape(1, -1, *size), heads, k).view(heads, -1, *size)
    return windows / windows.sum(1, keepdim=True)


def local_self_attention(block: LocalSelfAttention, calls: Mapping[str, Call]) -> Reading:
    """Read self-attention among neighbours: each pixel's k x k attention, per head."""
    queries, keys, _ = calls["mix"].inputs
    device = next(block.parameters()).device
    weights = block.mix.weights(queries[None].to(device), keys[None].to(device))[0].float().cpu()
    reading = Reading()
    reading.add_windows(weights.view(block.num_heads, block.kernel_size**2, *weights.shape[1:]), _size(queries))
    return reading


def own_block(block: Any, calls: Mapping[str, Call]) -> Reading:
    """Read a block of the user's, which tells for a point what it looks at: `attention_at(x, row, column)`."""
    (x,) = calls[""].inputs
    height, width = x.shape[1:]
    device = next((p.device for p in block.parameters()), x.device)

    def at(row: int, column: int) -> Tensor:
        with torch.no_grad():
            weights = block.attention_at(x[None].to(device), row, column)
        shape = tuple(weights.shape) if isinstance(weights, Tensor) else type(weights).__name__
        if not isinstance(weights, Tensor) or weights.shape[-2:] != (height, width) or weights.ndim not in (2, 3):
            raise ValueError(
                f"{type(block).__name__}.attention_at gives the weight of every cell, (H, W) or (heads, H, W), for a "
                f"map x of {tuple(x[None].shape)}; got {shape}."
            )
        return weights.detach().float().cpu().view(-1, height, width)

    return Reading(size=(height, width), at=at)


def reader_of(module: nn.Module) -> Reader | None:
    """How a module is read; None for one that nobody can read."""
    return READERS.get(type(module)) or (OWN if callable(getattr(module, "attention_at", None)) else None)


def _size(values: Tensor) -> tuple[int, int]:
    """Height and width of a map."""
    return values.shape[-2], values.shape[-1]


_WINDOW = (
    "Each window shows from where values arrive at the marked point, at their true place and size in the picture: the "
    "brighter, the more. A preference is a weight over the one that attention without any preference would give. "
    "Entropy says how widely a window is spread: 1 as without preference, 0 on a single cell. "
)
_COT_BLOCK = Reader(
    ("key_embed", "mix", "norm", "fusion"),
    contextual,
    "The block adds a static context, one learned convolution for all pixels, and a dynamic one, whose k x k weights "
    f"each pixel predicts for itself. {_WINDOW}Here a window holds the sizes of those weights, averaged over their "
    "groups. The share of the dynamic branch is its root mean square over the sum of both branches' as they are added; "
    "the bars show how channel attention divides each channel between the two.",
)
READERS: dict[type[nn.Module], Reader] = {
    CoTAttention: Reader(
        ("mix",),
        cot_attention,
        "The block adds a static context, one learned k x k convolution for all pixels, and values weighed by a "
        "softmax over all positions of the map. That softmax is shown as a map, averaged over channels: 1 is an even "
        "weight. "
        "The share of the dynamic branch is its root mean square over the sum of both branches'; with a softmax over "
        "so many positions it is small by construction.",
    ),
    CoTBlock: _COT_BLOCK,
    CoXtBlock: _COT_BLOCK,
    OutlookAttention: Reader(
        ("mix",),
        outlook_attention,
        "Each pixel predicts, for each head, how its k x k window is mixed, and overlapping windows are added. "
        f"{_WINDOW}The overlap alone favours the middle of a window; a preference leaves that out.",
    ),
    LocalSelfAttention: Reader(("mix",), local_self_attention, f"Each pixel attends to its neighbours. {_WINDOW}"),
}
OWN = Reader(
    ("",),
    own_block,
    "Each map shows the weight that the block says it gives to every cell for the marked point; brighter is more.",
)
