"""What verbs print and write: tables, progress with the time that is left, CSV files."""

from __future__ import annotations

import csv
import dataclasses
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from ultralytics.utils import LOGGER

T = TypeVar("T")
WIDTH_OF_FILES = 160
# What may begin with a sign: a dash for nothing, a number, and one with its interval or a second number.
NUMBERS = r"-|[-+][\d.]+(e[-+]?\d+)?( to [-+][\d.]+| \[[-\d.]+, [-\d.]+\])?"


def console() -> Console:
    """A console as wide as the terminal; what goes into a file or a pipe is wide enough for every table."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = WIDTH_OF_FILES
    return found


def new_table(title: str, header: Sequence[str], text: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in `text` hold words and start at the left, numbers end at the right."""
    table = Table(title=title)
    for name in header:
        table.add_column(name, justify="left" if name in text else "right", no_wrap=True)
    return table


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """The items, with a line on the terminal that says how many are done and how long the others take.

    The line is written between items only, so that it does not disturb what is being measured. Where something else is
    written meanwhile, use `announce`.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    terminal = Console(stderr=True)
    quiet = not terminal.is_terminal
    options: dict[str, Any] = {"auto_refresh": False, "redirect_stdout": False, "redirect_stderr": False}
    with Progress(*columns, console=terminal, transient=True, disable=quiet, **options) as progress:
        yield from progress.track(items, total=total, description=what)


def announce(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The items; of several, each behind a line in the log that says which it is and how long the others take.

    Args:
        items: the items.
        what: what one is called.
        total: how many there are, or about so many.
    """
    start = time.monotonic()
    for done, item in enumerate(items):
        if max(total, done + 1) > 1:
            left = (time.monotonic() - start) / done * max(total - done, 1) if done else 0.0
            LOGGER.info(f"{what} {done + 1} of {max(total, done + 1)}{f', {duration(left)} left' if done else ''}")
        yield item


def duration(seconds: float) -> str:
    """A length of time in words."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else "less than a minute"


def write_csv(file: Path, rows: Sequence[Any], derived: Sequence[str] = ()) -> None:
    """Write a line for each of these dataclasses: its fields, then the properties named in `derived`."""
    names = [*(field.name for field in dataclasses.fields(rows[0])), *derived]
    write_cells(file, [names, *([getattr(row, name) for name in names] for row in rows)])


def write_cells(file: Path, lines: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(map(_plain, cells) for cells in lines)


def _plain(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; names of classes and models may begin as one does."""
    formula = isinstance(cell, str) and re.match(r"\s*[=+\-@]", cell) and not re.fullmatch(NUMBERS, cell)
    return f"'{cell}" if formula else cell
