"""The table of blocks: the name in a YAML, its class, and the stock class that Ultralytics should take it for.

Adding a block is its class and one row here.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from torch import nn
from ultralytics.nn.modules import C3k2

from ..nn import C3k2CoT, C3k2Outlook, CoTAttention, OutlookAttention


@dataclass(frozen=True)
class Block:
    """One row of the table.

    Attributes:
        cls: the class; its name is the name in a YAML.
        counts_as: the stock class whose place it takes in Ultralytics' parser. None: the block keeps its input's
            channels, and its YAML row gives the arguments after `c1`.
    """

    cls: type[nn.Module]
    counts_as: type[nn.Module] | None = None

    @property
    def name(self) -> str:
        """Name in a YAML."""
        return self.cls.__name__

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
        Block(C3k2CoT, counts_as=C3k2),
        Block(C3k2Outlook, counts_as=C3k2),
    )
}
