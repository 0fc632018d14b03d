"""Read a model YAML that may come from anybody: of bounded size and depth, and every error in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..plugin.bounded_yaml import Alias, BoundedLoader
from ..plugin.row_errors import one_line

SECTIONS = ("backbone", "head")
# The YAML of the largest network has 10 KB and a hundred rows.
MOST_BYTES, MOST_DEPTH, MOST_VALUES, MOST_ROWS = 1 << 18, 32, 50_000, 500


def read_text(path: Path) -> str:
    """The text of a file, line ends as they are.

    Raises:
        ValueError: it is too large, no text, or cannot be read.
    """
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ValueError(f"{path.name} has {size} bytes; a model YAML has {MOST_BYTES} at most.")
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read as text in UTF-8: {brief(error)}.") from error


class Parsed(NamedTuple):
    """A model YAML: its content, its nodes with their places in the text, and its aliases."""

    values: dict[str, Any]
    root: yaml.MappingNode
    aliases: list[Alias]


def parse(text: str, name: str) -> Parsed:
    """Read the text of a model YAML.

    Raises:
        ValueError: it is no YAML of plain values, or not one with `backbone` and `head` as lists of rows.
    """
    try:
        loader = BoundedLoader(text, MOST_DEPTH)
        root, values = loader.document()
        _count(values)
    except Exception as error:  # PyYAML's constructors raise whatever Python does: for a date of month 13, say
        raise ValueError(f"{name} is not valid YAML: {brief(error)}.") from error
    if not isinstance(values, dict) or not all(isinstance(values.get(s), list) and values[s] for s in SECTIONS):
        raise ValueError(f"{name} is no model YAML: it needs 'backbone' and 'head', each a list of rows.")
    if (rows := sum(len(values[s]) for s in SECTIONS)) > MOST_ROWS:
        raise ValueError(f"{name} has {rows} rows; a model YAML has {MOST_ROWS} at most.")
    assert isinstance(root, yaml.MappingNode)
    return Parsed(values, root, loader.aliases)


def read_model(path: Path) -> dict[str, Any]:
    """The content of a model YAML.

    Raises:
        ValueError: it is no model YAML.
    """
    return parse(read_text(path), path.name).values


def brief(value: object, most: int = 120) -> str:
    """A value as text on one line, cut where it is long."""
    return one_line(str(value), most).rstrip(".")


def _count(value: Any, seen: int = 0, depth: int = 0) -> int:
    """How many values there are, each alias counted as what it stands for."""
    if seen > MOST_VALUES or depth > MOST_DEPTH:
        raise ValueError("its aliases stand for more than a model YAML holds")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    for part in value if isinstance(value, (list, tuple, set)) else ():
        seen = _count(part, seen + 1, depth + 1)
    return seen
