"""A bundle's YAML: plain values only, of bounded size and depth, without aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..bounded_yaml import BoundedLoader
from ..row_errors import shown

# The YAML of the largest shipped network has 10 KB; names of 10,000 classes have 300 KB.
MOST_BYTES, MOST_DEPTH = 1 << 20, 16


def load(file: Path) -> Any:
    """Read a YAML file.

    Raises:
        ValueError: it is too large or too deep, has an alias or a tag of Python, or is no YAML.
    """
    if (size := file.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{file} has {size} bytes; a bundle's YAML has {MOST_BYTES} at most.")
    try:
        loader = BoundedLoader(file.read_text(encoding="utf-8"), MOST_DEPTH)
        _, values = loader.document()
        if loader.aliases:
            raise ValueError("it has an alias (*name), which can stand for a file of any size")
    except Exception as error:  # PyYAML's constructors raise whatever Python does: for a date of month 13, say
        raise ValueError(f"{file} is no YAML of plain values: {shown(error, 200)}") from error
    return values
