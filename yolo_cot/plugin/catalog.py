"""The table of blocks: the name in a YAML, its class, and the stock class that Ultralytics should take it for.

Adding a block is its class and one row here.
"""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import dataclass
from importlib import import_module

from torch import nn
from ultralytics.nn.modules import C2f, C3k2, Classify, Conv

from .. import nn as own
from ..nn import (
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


@dataclass(frozen=True)
class Block:
    """One row of the table.

    Attributes:
        cls: the class; its name is the name in a YAML.
        counts_as: the stock class whose place it takes in Ultralytics' parser. None: the block keeps its input's
            channels, and its YAML row gives the arguments after `c1`.
        network_part: whether it is a part of a network, with its place there, and no block to insert elsewhere.
    """

    cls: type[nn.Module]
    counts_as: type[nn.Module] | None = None
    network_part: bool = False

    @property
    def name(self) -> str:
        """Name in a YAML."""
        return self.cls.__name__

    @property
    def constructor(self) -> type[nn.Module]:
        """What the parser calls."""
        return self.cls

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """What a YAML row gives, in order: the constructor's arguments without those that the parser fills in."""
        filled_in = {"c1"} if self.counts_as is None else {"c1", "n"}
        return [p for p in inspect.signature(self.cls).parameters.values() if p.name not in filled_in]


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


def find(name: str) -> Block | None:
    """The block that a row's name means; None if it is not the name of one."""
    return BLOCKS.get(name)


def stock_names() -> dict[str, str]:
    """The stock name that each block counts as, for those that count as one."""
    return {name: block.counts_as.__name__ for name, block in BLOCKS.items() if block.counts_as}


def own_classes() -> list[type[nn.Module]]:
    """Every module class that `yolo_cot.nn` defines: those that a pickled model of ours can refer to."""
    found = []
    for info in pkgutil.walk_packages(own.__path__, own.__name__ + "."):
        for value in vars(import_module(info.name)).values():
            if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == info.name:
                found.append(value)
    return found
