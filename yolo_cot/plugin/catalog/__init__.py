"""Which blocks there are, and what each name in a model YAML means."""

from .block import Block
from .lookup import find, insertable, own_classes, stock_names, why_not
from .table import BLOCKS, INSERTABLE

__all__ = ["BLOCKS", "INSERTABLE", "Block", "find", "insertable", "own_classes", "stock_names", "why_not"]
