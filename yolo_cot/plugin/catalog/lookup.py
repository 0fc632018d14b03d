"""What a name in a model YAML means: a block of the table, of timm, of Ultralytics' own files, or of a package."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from torch import nn
from ultralytics.nn import tasks

from ... import nn as own
from . import packages, stock_blocks, timm_blocks
from .block import Block
from .table import BLOCKS


def find(name: str) -> Block | None:
    """The block that a row's name means; None if it is not the name of one: a stock module's, or nobody's."""
    if name in BLOCKS:
        return BLOCKS[name]
    if isinstance(vars(tasks).get(name), type) or name.startswith(("nn.", "torchvision.")):
        return None
    try:
        return _find_elsewhere(name)
    except ValueError:
        return None


def why_not(name: str) -> str:
    """Why a block that is known by name cannot be used here, in a sentence; "" for any other name."""
    try:
        _find_elsewhere(name)
    except ValueError as error:
        return str(error)
    return ""


def _find_elsewhere(name: str) -> Block | None:
    if name.startswith(stock_blocks.PREFIX):
        return stock_blocks.unplaced(name)
    return timm_blocks.find(name) or packages.find(name)


def insertable(name: str) -> Block | None:
    """The block that `insert` puts in under a name: what `find` finds, or a stock module that the parser places."""
    return find(name) or stock_blocks.placed(name) or stock_blocks.unplaced(name)


def stock_names() -> dict[str, str]:
    """The stock name that each block counts as, for those that count as one."""
    return {name: block.counts_as.__name__ for name, block in BLOCKS.items() if block.counts_as}


def own_classes() -> list[type[nn.Module]]:
    """Every module class that a pickled model of ours can refer to: those of `yolo_cot.nn`, and of the table."""
    found = [block.cls for block in BLOCKS.values()]
    for info in pkgutil.walk_packages(own.__path__, own.__name__ + "."):
        for value in vars(import_module(info.name)).values():
            if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == info.name:
                found.append(value)
    return list(dict.fromkeys(found))
