"""What the table of blocks says of a name, of its arguments and its rows' shape, and of where a file takes it from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..plugin.catalog import BLOCKS, INSERTABLE, Block, find, insertable, why_not
from ..plugin.catalog.files import KEY, is_path, load
from ..plugin.catalog.files import names as named_blocks
from ..plugin.layers import module_names
from ..plugin.rows import positional


def block_named(name: str) -> Block:
    """The block of a name; one of the user's may be given as `module.Class`, and is imported then.

    Raises:
        ValueError: there is none, with the nearest name; it is a network's part; or its file cannot be imported.
    """
    found = insertable(name)
    if found is None and is_path(name) and not why_not(name):
        found = load(name, Path.cwd())
    known = (
        f"Known blocks: {', '.join(INSERTABLE)}; module.Class for one of your own, timm.se, timm.cbam, … for timm's."
    )
    if found is None:
        close = difflib.get_close_matches(name, INSERTABLE, 1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ValueError(why_not(name) or f"no block is called {name!r}. {hint}{known}")
    if found.network_part:
        raise ValueError(f"{name} is a part of a network and has its place there; insert takes a block. {known}")
    return found


def did_you_mean(name: str) -> str:
    """A remedy for a module name that nobody knows."""
    if reason := why_not(name):
        return reason
    close = difflib.get_close_matches(name, [*BLOCKS, *module_names()], 1)
    return f"Did you mean {close[0]!r}?" if close else f"Blocks of yolo-cot: {', '.join(INSERTABLE)}."


def check_arguments(name: str, arguments: Mapping[str, object]) -> None:
    """Refuse arguments that the block has not, or that its row gives by itself."""
    block = block_named(name)
    if "c2" in arguments:
        raise ValueError(f"{name} gets its channel count from the place it goes to; leave c2 out.")
    positional("insert", block, [*([8] if block.counts_as else []), dict(arguments)])


def passes_on(row: list[Any], shapes: Sequence[Any]) -> Any:
    """The shape that a row gives where it could not be built but its kind says so; None where it does not."""
    block = find(row[2])
    if block and block.counts_as is None and len(shapes) == 1:
        return shapes[0]
    if row[2] == "Concat" and all(len(s) == 4 and not isinstance(s[0], tuple) for s in shapes):
        batch, _, *size = shapes[0]
        return (batch, sum(s[1] for s in shapes), *size)
    return None


def with_blocks(text: str, paths: Iterable[str], name: str) -> str:
    """The text of a model YAML with these blocks, as `module.Class`, in its line `blocks:`; the rest stays as typed.

    Raises:
        ValueError: the file has that key, and not as a list on one line.
    """
    there = named_blocks(yaml.safe_load(text), f"{name} ")
    if not (new := [path for path in dict.fromkeys(paths) if path not in there]):
        return text
    line = f"{KEY}: [{', '.join([*there, *new])}]"
    if there:
        changed, count = re.subn(rf"^{KEY}:[ \t]*\[[^\]\n]*\]", line, text, count=1, flags=re.M)
        if not count:
            raise ValueError(f"{name} has the key {KEY}: in another form than a list on one line; write it as {line}.")
        return changed
    newline = "\r\n" if "\r\n" in text else "\n"
    said = f"{line} # module and class; the module is looked for beside this file first{newline}"
    return re.sub(r"^(?=nc:|backbone:)", lambda _: said, text, count=1, flags=re.M)
