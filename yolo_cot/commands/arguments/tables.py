"""What is written from the arguments of a verb: its help on the terminal, and the table in the docs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from . import command_of


class Line(NamedTuple):
    """One argument in words: `default` is "needed" where it must be given."""

    name: str
    default: str
    help: str


def lines(declared: type) -> list[Line]:
    """The arguments of a verb, in the order of their declaration."""
    found = []
    for field in dataclasses.fields(declared):
        if "others" in field.metadata:
            found.append(Line("...", "", field.metadata["help"]))
            continue
        help, choices = field.metadata["help"], field.metadata["choices"]
        if choices:
            help += f"{',' if ':' in help else ':'} {', '.join(choices)}"
        found.append(Line(field.name, _written(field.default), help))
    return found


def print_help(what: str, declared: type) -> None:
    """Print what a verb does, its arguments and its example."""
    console = Console(highlight=False, markup=False)
    console.print(f"{command_of(declared)}: {what}", soft_wrap=True)
    if found := lines(declared):
        table = Table(box=None, pad_edge=False, header_style="")
        for column in ("argument", "default", "what it is"):
            table.add_column(column, overflow="fold", no_wrap=column == "argument")
        for line in found:
            table.add_row(*line)
        console.print("\nArguments, as key=value:")
        console.print(table)
    console.print(f"\nExample: {declared.__doc__}", soft_wrap=True)


def markdown_table(declared: type) -> str:
    """The arguments of a verb as a Markdown table."""
    rows = ["| argument | default | what it is |", "|---|---|---|"]
    for line in lines(declared):
        default = f"`{line.default}`" if line.default not in {"", "needed"} else line.default
        rows.append(f"| `{line.name}` | {default} | {line.help.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def _written(default: Any) -> str:
    if default is dataclasses.MISSING:
        return "needed"
    if default is None or default == ():
        return ""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return default.as_posix() if isinstance(default, Path) else str(default)
