"""One block: the name in a YAML, its class, and how Ultralytics' parser should place and build it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ...nn.gate import Gated


@dataclass(frozen=True)
class Block:
    """One row of the table.

    Attributes:
        cls: the class.
        counts_as: the stock class whose place it takes in Ultralytics' parser. None: the block keeps its input's
            channels and size, and its YAML row gives the arguments after the first, its channels.
        network_part: whether it is a part of a network, with its place there, and no block to insert elsewhere.
        foreign: whether it comes from outside this package. One that keeps its input's channels is then built from
            arguments by name, and run once to see that it does.
        gated: whether a foreign block is built behind a gate of ours, x + gamma * block(x); it then takes `gate`, too.
        alias: its name in a YAML where that is not the name of the class.
        make: what builds it from its channels and arguments, where that is not the class.
    """

    cls: type[nn.Module]
    counts_as: type[nn.Module] | None = None
    network_part: bool = False
    foreign: bool = False
    gated: bool = False
    alias: str = ""
    make: Callable[..., nn.Module] | None = None

    @property
    def name(self) -> str:
        """Name in a YAML."""
        return self.alias or self.cls.__name__

    @property
    def by_name(self) -> bool:
        """Whether the parser hands its arguments over as one mapping."""
        return self.foreign and self.counts_as is None

    @cached_property
    def constructor(self) -> type[nn.Module]:
        """What the parser calls: the class, or one that stands for the class, its check and its gate.

        The parser, and the table that it prints, want a class; instances of this one are never made.
        """
        if not self.by_name:
            return self.cls

        def build(_: type, c1: int, given: dict[str, Any] | None = None) -> nn.Module:
            arguments = dict(given or {})
            gate = arguments.pop("gate", None) if self.gated else None
            module = (self.make or self.cls)(c1, **arguments)
            check_keeps_shape(module, c1, self.name)
            return Gated(c1, module, gate) if self.gated else module

        names = {"__new__": build, "__module__": self.cls.__module__, "__qualname__": self.cls.__qualname__}
        return type(self.cls.__name__, (nn.Module,), names)

    @cached_property
    def parameters(self) -> list[inspect.Parameter]:
        """What a YAML row gives, in order: the constructor's arguments without those that the parser fills in."""
        every = list(inspect.signature(self.make or self.cls).parameters.values())
        own = [p for p in every[1:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if self.counts_as is not None and repeats(self.counts_as):
            return [own[0], *own[2:]]
        if self.gated:
            own = [p for p in own if p.name not in ("device", "dtype")]
            return [*own, inspect.Parameter("gate", inspect.Parameter.KEYWORD_ONLY, default=None)]
        return own


def repeats(stock: type[nn.Module]) -> bool:
    """Whether the parser gives a stock class the number of repeats, as third argument."""
    return list(inspect.signature(stock).parameters)[2:3] == ["n"]


@torch.no_grad()
def check_keeps_shape(module: nn.Module, c1: int, name: str, side: int = 8) -> None:
    """Run a block once on an empty map, in evaluation mode; one that cannot be run so is left for the model to try.

    Raises:
        ValueError: what it gives is no map of the shape of its input.
    """
    training = module.training
    try:
        y = module.eval()(torch.zeros(1, c1, side, side))
    except Exception:  # it may want a larger map, or real tensors where it is only looked at
        return
    finally:
        module.train(training)
    got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
    if got != (1, c1, side, side):
        raise ValueError(
            f"{name} is a block that keeps channels and size, and gives {got} for a map of {(1, c1, side, side)}. "
            f"Mend its forward, or let it take (c1, c2, ...) if it changes them."
        )
