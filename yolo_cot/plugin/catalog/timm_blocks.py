"""Attention of timm as blocks: `timm.se`, `timm.eca`, `timm.cbam`, …, behind our gate.

Source: timm, `timm.layers.create_attn`; each module's docstring there names its paper.
Differs from it: keeps its input's channels, and can stand behind a gate.
"""

from __future__ import annotations

import inspect
from functools import lru_cache, partial

from torch import nn

from .block import Block

PREFIX = "timm."
NAMES: tuple[str, ...] = (
    *("se", "ese", "eca", "ecam", "ceca", "gc", "gca", "cbam", "lcbam", "coord", "scoord", "ela", "strip"),
    *("nl", "splat"),
)
# What timm's factory also makes, and why it is no block here.
REFUSED = {
    "bottleneck": "its position embedding is made for one size of map, and a model here takes any",
    "halo": "it needs maps whose sides are multiples of its block, and a model here takes any",
    "bat": "it needs maps whose sides are multiples of its block, and a model here takes any",
    "sk": "its batch norm behind a global pool cannot train on a last batch of one image",
    "lambda": "its 3-D convolution now and then gives NaN under bfloat16 on a CPU",
    "ge": "timm's module hands one argument over twice and cannot be built",
}


@lru_cache
def find(name: str) -> Block | None:
    """The block of a name such as `timm.se`; None for other names.

    Raises:
        ValueError: timm is not installed, or has no such attention, or has one that cannot be a block.
    """
    kind = name.removeprefix(PREFIX).lower()
    if not name.startswith(PREFIX):
        return None
    known = f"Known are {', '.join(PREFIX + n for n in NAMES)}."
    if kind in REFUSED:
        raise ValueError(f"{name} cannot be a block: {REFUSED[kind]}. {known}")
    if kind not in NAMES:
        raise ValueError(f"timm has no attention that is called {name!r} here. {known}")
    try:
        from timm.layers import get_attn
    except ImportError as error:
        raise ValueError(f"{name} needs timm: pip install 'yolo-cot[timm]'.") from error
    try:
        made = get_attn(kind)
    except AssertionError:
        made = None
    if made is None:
        raise ValueError(f"The installed timm has no attention {kind!r}; a newer one has: pip install -U timm.")
    cls = made.func if isinstance(made, partial) else made
    assert inspect.isclass(cls)
    assert issubclass(cls, nn.Module)
    return Block(cls, foreign=True, gated=True, alias=PREFIX + kind, make=made)
