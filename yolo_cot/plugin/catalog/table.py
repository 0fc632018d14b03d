"""The table of blocks: the name in a YAML, its class, and the stock class that Ultralytics should take it for.

Adding a block is its class and one row here. `register` adds rows from outside.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from ultralytics.nn.modules import C2f, C3k2, Classify, Conv

from ...nn import (
    C3k2CoT,
    C3k2CoTBlock,
    C3k2Outlook,
    CoTAttention,
    CoTBlock,
    CoTNetStage,
    CoTNetStem,
    CoXtBlock,
    GatedConv,
    LocalSelfAttention,
    OutlookAttention,
    Outlooker,
    PooledClassify,
    VOLODownsample,
    VOLOHead,
    VOLOPosition,
    VOLOStem,
    VOLOTransformer,
)
from .block import Block

BLOCKS: dict[str, Block] = {
    block.name: block
    for block in (
        Block(CoTAttention),
        Block(OutlookAttention),
        Block(GatedConv),
        Block(C3k2CoT, counts_as=C3k2),
        Block(C3k2Outlook, counts_as=C3k2),
        Block(CoTBlock),
        Block(CoXtBlock),
        Block(LocalSelfAttention),
        Block(Outlooker),
        Block(C3k2CoTBlock, counts_as=C3k2),
        Block(CoTNetStem, counts_as=Conv, network_part=True),
        Block(CoTNetStage, counts_as=C2f, network_part=True),
        Block(PooledClassify, counts_as=Classify, network_part=True),
        Block(VOLOStem, counts_as=Conv, network_part=True),
        Block(VOLODownsample, counts_as=Conv, network_part=True),
        Block(VOLOPosition, network_part=True),
        Block(VOLOTransformer, network_part=True),
        Block(VOLOHead, counts_as=Classify, network_part=True),
    )
}

# The blocks that can be inserted into any model; the others are parts of networks.
INSERTABLE: dict[str, Block] = {name: block for name, block in BLOCKS.items() if not block.network_part}

# The names of this package's own blocks.
SHIPPED = frozenset(BLOCKS)
# Called with the class of every block that is added later: for the counter of operations, and for restricted loading.
listeners: list[Callable[[type[nn.Module]], None]] = []


def add(block: Block) -> None:
    """Add a row to the table, or put it in the place of the one of its name."""
    BLOCKS[block.name] = INSERTABLE[block.name] = block
    for listener in listeners:
        listener(block.cls)


def remove(name: str) -> None:
    """Take a row that was added out again; unknown names are passed over."""
    if not is_shipped(name):
        BLOCKS.pop(name, None)
        INSERTABLE.pop(name, None)


def is_shipped(name: str) -> bool:
    """Whether a name is that of a block of this package."""
    return name in SHIPPED
