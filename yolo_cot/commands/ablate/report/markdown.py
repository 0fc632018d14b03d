"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .document import Code, Document, Heading, Part, Picture, Points, Text


def markdown(document: Document, folder: Path) -> str:
    """The report as Markdown; pictures are named relative to `folder`."""
    return "\n\n".join([f"# {plain(document.title)}", *(_block(part, folder) for part in document.parts)]) + "\n"


def _block(part: Part, folder: Path) -> str:
    if isinstance(part, Text):
        return plain(part.text)
    if isinstance(part, Points):
        return "\n".join(f"- {plain(point)}" for point in part.points)
    if isinstance(part, Heading):
        return f"{'#' * part.level} {plain(part.text)}"
    if isinstance(part, Picture):
        return f"![{plain(part.caption)}]({part.file.relative_to(folder).as_posix()})"
    if isinstance(part, Code):
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", part.text)), default=0))
        return f"{fence}bash\n{part.text}\n{fence}"
    rules = ["---" if part.words(i) else "---:" for i in range(len(part.header))]
    lines = [_line(map(plain, part.header)), _line(rules), *(_line(map(plain, row)) for row in part.rows)]
    return "\n".join([plain(part.caption), "", *lines])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """Text that shows as it is: class and file names may hold whatever Markdown or HTML takes for markup."""
    return re.sub(r"([\\`*_\[\]<>|~$&#])", r"\\\1", " ".join(text.split()))
