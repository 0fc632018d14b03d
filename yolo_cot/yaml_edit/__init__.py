"""Work on model YAMLs and state dicts: insert blocks, find faults, say where things are."""

from .insert import insert
from .lint import lint

__all__ = ["insert", "lint"]
