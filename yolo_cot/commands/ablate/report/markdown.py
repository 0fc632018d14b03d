"""A report as Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from .document import Document, Heading, Picture, Table


def markdown(document: Document, folder: Path) -> str:
    """The report as Markdown; pictures are named relative to `folder`."""
    blocks = [f"# {plain(document.title)}"]
    for part in document.parts:
        if isinstance(part, str):
            blocks.append(plain(part))
        elif isinstance(part, list):
            blocks.append("\n".join(f"- {plain(point)}" for point in part))
        elif isinstance(part, Heading):
            blocks.append(f"{'#' * part.level} {plain(part.text)}")
        elif isinstance(part, Table):
            rules = ["---" if i == 0 or name in part.text else "---:" for i, name in enumerate(part.header)]
            lines = [rules if line is rules else map(plain, line) for line in (part.header, rules, *part.rows)]
            blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        elif isinstance(part, Picture):
            blocks.append(f"![{plain(part.caption)}]({part.file.relative_to(folder).as_posix()})")
        else:
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", part.text)), default=0))
            blocks.append(f"{fence}bash\n{part.text}\n{fence}")
    return "\n\n".join(blocks) + "\n"


def plain(text: str) -> str:
    """Text that shows as it is: class and file names may hold whatever Markdown or HTML takes for markup."""
    return re.sub(r"([\\`*_\[\]<>|~$&#])", r"\\\1", " ".join(text.split()))
