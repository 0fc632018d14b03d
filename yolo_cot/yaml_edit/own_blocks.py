"""The line `blocks:` of a model YAML, which says where blocks in files of the user's come from."""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from ..plugin.catalog.files import KEY, names


def with_blocks(text: str, paths: Iterable[str], name: str) -> str:
    """The text of a model YAML with these blocks, as `module.Class`, in its line `blocks:`; the rest stays as typed.

    Raises:
        ValueError: the file has that key, and not as a list on one line.
    """
    there = names(yaml.safe_load(text), f"{name} ")
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
