"""The table of formats on the terminal, as CSV and as an HTML page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ..output import new_table, write_csv
from ..templates import render
from .result import BAD, Result


@dataclass(frozen=True)
class Report:
    """What is said about a run.

    Attributes:
        model: the model's name.
        plain: the plain model's name; "" where there is none.
        metric: what accuracy is called.
        accuracy: that of PyTorch; NaN where it was not measured.
        about: lines on pictures, size and versions.
        warnings: what makes the table worth less.
        results: its rows.
    """

    model: str
    plain: str
    metric: str
    accuracy: float
    about: list[str]
    warnings: list[str]
    results: list[Result]

    @property
    def header(self) -> list[str]:
        """The columns."""
        return ["format", "verdict", "error", "plain's", self.metric, "ms", f"times {self.plain or 'plain'}", "MB"]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every format, empty where nothing was measured."""
        return [_cells(result) for result in self.results]

    @property
    def notes(self) -> list[tuple[str, str]]:
        """Format and note, of those that have one."""
        return [(result.format, result.note) for result in self.results if result.note]


def _cells(result: Result) -> list[str]:
    times = f"{result.ratio:.2f} ({result.ratio_low:.2f} to {result.ratio_high:.2f})"
    return [
        result.format,
        result.verdict,
        _number(result.error, ".1e"),
        _number(result.error_plain, ".1e"),
        _number(result.map, ".4f"),
        _number(result.milliseconds, ".1f"),
        "" if math.isnan(result.ratio) else times,
        _number(result.megabytes, ".1f"),
    ]


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def print_report(console: Console, report: Report) -> None:
    """Print the table, its notes and what it is worth."""
    table = new_table(f"{report.model} against PyTorch", report.header, text=["format", "verdict"])
    for result, cells in zip(report.results, report.rows):
        table.add_row(*cells, style="bold red" if result.verdict in BAD else None)
    console.print(table)
    if not math.isnan(report.accuracy):
        console.print(f"{report.metric} in PyTorch: {report.accuracy:.4f}")
    for name, note in report.notes:
        console.print(f"{name}: {note}", markup=False, soft_wrap=True)
    for line in [*report.warnings, *report.about]:
        console.print(line, markup=False, soft_wrap=True)


def write(report: Report, folder: Path) -> list[Path]:
    """Write the rows as CSV, and all of it as a page; returns both files."""
    files = [folder / "verify.csv", folder / "index.html"]
    write_csv(files[0], report.results)
    files[1].write_text(render("verify/page.html.j2", report=report, bad=BAD), encoding="utf-8")
    return files
