"""YAML of a stranger: plain values only, of bounded size and depth, without aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# The YAML of the largest shipped network has 10 KB; names of 10,000 classes have 300 KB.
MOST_BYTES, MOST_DEPTH, MOST_NUMBER = 1 << 20, 16, 65536


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name), which can stand for a file of any size")
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MOST_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def load(file: Path) -> Any:
    """Read a YAML file.

    Raises:
        ValueError: it is too large or too deep, has an alias or a tag of Python, or is no YAML.
    """
    if (size := file.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{file} has {size} bytes; a bundle's YAML has {MOST_BYTES} at most.")
    try:
        return yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{file} is no YAML of plain values: {reason}") from error


def is_number(value: Any, whole: bool = False) -> bool:
    """Whether a value is a number of a size that a model YAML has; with `whole`, an int."""
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) <= MOST_NUMBER
