"""Blocks from outside: `yolo_cot.register(MyBlock)`, or the same as a decorator."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar, overload

from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import C2f, C3k2, Conv

from ...nn.gate import GatedBlock
from .block import Block, repeats
from .first_argument import channels_first, gives_channels, parameters
from .table import BLOCKS, add, is_shipped

T = TypeVar("T", bound=type[nn.Module])


@overload
def register(cls: T, *, counts_as: type[nn.Module] | str | None = None, gate: bool | None = None) -> T: ...


@overload
def register(*, counts_as: type[nn.Module] | str | None = None, gate: bool | None = None) -> Callable[[T], T]: ...


def register(cls: Any = None, *, counts_as: type[nn.Module] | str | None = None, gate: bool | None = None) -> Any:
    """Make a class a block: its name can stand in model YAMLs, and every command of this package knows it.

    What its constructor takes says how it is placed:

    - `(c1, ...)`, the channels of its input first: it keeps channels and size, and YAML rows give the rest;
    - `(c1, c2, ...)`: it changes channels, and its rows are like those of `Conv`;
    - `(c1, c2, n, ...)`: it also repeats something inside, and its rows are like those of `C2f`.

    Args:
        cls: a class of `torch.nn.Module` in a file that Python can import. Left out, a decorator is returned.
        counts_as: the stock class whose place it takes in Ultralytics' parser, such as C3k2, or its name; it must take
            the same first arguments. None goes by the constructor, as above.
        gate: whether a block that keeps channels and size stands behind a gate, x + gamma * block(x), and takes `gate`
            as one more argument. None: yes, unless it has a gate of its own.

    Returns:
        The class.

    Raises:
        TypeError: what is given is no class of `torch.nn.Module`, or its constructor does not fit.
        ValueError: its name is taken, or it cannot be imported by its name.
    """
    if cls is None:
        return lambda one: register(one, counts_as=counts_as, gate=gate)
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
        raise TypeError(f"yolo_cot.register takes a class of torch.nn.Module; got {cls!r}.")
    _check_name(cls)
    _check_importable(cls)
    stock = _stock(cls, counts_as)
    keeps = stock is None
    if gate and not keeps:
        raise TypeError(f"A gate adds a block's input to its output; {cls.__name__} changes channels. Leave gate= out.")
    own_gate = issubclass(cls, GatedBlock) or "gate" in parameters(cls)
    if gate and own_gate:
        raise TypeError(f"{cls.__name__} has a gate of its own. Leave gate= out.")
    add(Block(cls, counts_as=stock, foreign=True, gated=keeps and not own_gate if gate is None else gate))
    return cls


def _check_importable(cls: type[nn.Module]) -> None:
    """Checkpoints, ranks of multi-GPU training and data loaders import a class by the name of its module."""
    remedy = f"Put it at the top of a file of its own, such as my_blocks.py: from my_blocks import {cls.__name__}."
    if cls.__module__ == "__main__":
        raise ValueError(
            f"{cls.__name__} is defined in the script or notebook that runs, where no other process finds it. {remedy}"
        )
    if "<locals>" in cls.__qualname__ or "." in cls.__qualname__:
        raise ValueError(
            f"{cls.__qualname__} is defined inside something else, where it cannot be imported from. {remedy}"
        )
    # While a decorator runs, the module does not have the class yet.
    if getattr(sys.modules.get(cls.__module__), cls.__name__, cls) is not cls:
        raise ValueError(f"{cls.__module__} has another {cls.__name__} than the one that was given. {remedy}")


def _check_name(cls: type[nn.Module]) -> None:
    name = cls.__name__
    other = BLOCKS[name].cls if name in BLOCKS else None
    if is_shipped(name) or (other is None and isinstance(vars(tasks).get(name), type)):
        whose = "this package" if is_shipped(name) else "Ultralytics"
        raise ValueError(f"{whose} has a module that is called {name}. Give your class another name.")
    if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(
            f"{name} is a block already, of {other.__module__}; another one comes from {cls.__module__}. Rename one."
        )


def _stock(cls: type[nn.Module], counts_as: type[nn.Module] | str | None) -> type[nn.Module] | None:
    """The stock class that a class counts as; None if it keeps its input's channels."""
    names, given = parameters(cls), f"{cls.__name__}({', '.join(parameters(cls))})"
    if counts_as is None:
        if not channels_first(cls):
            raise TypeError(
                f"A block is built with the channels of its input as first argument, c1; got {given}. "
                f"Put c1 first; the YAML gives the rest."
            )
        if not gives_channels(cls):
            return None
        return C2f if names[2:3] == ["n"] else Conv
    stock = vars(tasks).get(counts_as) if isinstance(counts_as, str) else counts_as
    if not (inspect.isclass(stock) and issubclass(stock, nn.Module)) or vars(tasks).get(stock.__name__) is not stock:
        raise TypeError(f"counts_as= is a class that Ultralytics' YAMLs name, such as C3k2; got {counts_as!r}.")
    # The parser fills in the channels, the number of repeats, and for C3k2 at larger scales the argument after it.
    filled = parameters(stock)[: 4 if stock is C3k2 else 3 if repeats(stock) else 2]
    if filled[:2] != ["c1", "c2"]:
        raise TypeError(
            f"counts_as= is a class that is built as (c1, c2, …); {stock.__name__} takes {', '.join(filled)}."
        )
    if not channels_first(cls) or not gives_channels(cls) or names[2 : len(filled)] != filled[2:]:
        raise TypeError(
            f"{stock.__name__} is built as ({', '.join(filled)}, …), and so must be what counts as it; got {given}."
        )
    return stock
