"""A report of headings, paragraphs, tables and pictures, and how it is written as one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1e21; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p, li { max-width: 46rem; } li { margin: .3rem 0; }
code { overflow-wrap: anywhere; } pre { background: #f4f5f7; padding: .8rem; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; } h3 + ul { margin-top: .2rem; }
th, td { text-align: right; padding: .35rem .4rem; border-bottom: 1px solid #dfe2e6; vertical-align: top; }
td { white-space: nowrap; } td:first-child, td.text { white-space: normal; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
thead th { border-bottom: 2px solid #8a9099; }
figure { margin: 1rem 0; } img { width: 100%; max-width: 36rem; height: auto; display: block; }
figcaption { font-size: .9rem; color: #4a4f57; max-width: 36rem; }
@media (max-width: 640px) {
  table, tbody, tr, td { display: block; width: auto; } thead { display: none; }
  tr { border-bottom: 2px solid #8a9099; padding: .5rem 0; }
  td, td.text { text-align: right; border: 0; padding: .1rem 0; display: flex; justify-content: space-between; }
  td::before { content: attr(data-name); color: #4a4f57; text-align: left; flex: 0 0 45%; }
  td:first-child { font-weight: 600; display: block; text-align: left; } td:first-child::before { content: none; }
}
"""


@dataclass(frozen=True)
class Heading:
    """A heading; the title of the report is of level 1."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Table:
    """A table; its first column, and those named in `text`, hold words."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Sequence[str] = ()


@dataclass(frozen=True)
class Picture:
    """A picture beside the report, and what it shows."""

    file: Path
    caption: str


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    text: str


@dataclass
class Document:
    """A report.

    Attributes:
        title: its title.
        parts: paragraphs as text, lists of points as lists of text, and the rest.
    """

    title: str
    parts: list[str | list[str] | Heading | Table | Picture | Code] = field(default_factory=list)

    def html(self) -> str:
        """The report as one HTML file that needs nothing else."""
        body = [f"<h1>{escape(self.title)}</h1>"]
        for part in self.parts:
            if isinstance(part, str):
                body.append(f"<p>{escape(part)}</p>")
            elif isinstance(part, Heading):
                body.append(f"<h{part.level}>{escape(part.text)}</h{part.level}>")
            elif isinstance(part, list):
                body.append(f"<ul>{''.join(f'<li>{escape(point)}</li>' for point in part)}</ul>")
            elif isinstance(part, Table):
                body.append(_table(part))
            elif isinstance(part, Picture):
                data = base64.b64encode(part.file.read_bytes()).decode()
                caption = escape(part.caption, quote=True)
                image = f'<img alt="{caption}" src="data:image/svg+xml;base64,{data}">'
                body.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
            else:
                body.append(f"<pre><code>{escape(part.text)}</code></pre>")
        viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
        head = f'<meta charset="utf-8">{viewport}<title>{escape(self.title)}</title><style>{STYLE}</style>'
        start = f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>'
        return "\n".join([start, *body, "</body>\n</html>\n"])


def _table(table: Table) -> str:
    words = {0, *(i for i, name in enumerate(table.header) if name in table.text)}

    def cell(tag: str, i: int, text: str) -> str:
        kind = ' class="text"' if i in words else ""
        name = f' data-name="{escape(table.header[i], quote=True)}"' if tag == "td" else ""
        return f"<{tag}{kind}{name}>{escape(text)}</{tag}>"

    head = "".join(cell("th", i, name) for i, name in enumerate(table.header))
    lines = "".join(f"<tr>{''.join(cell('td', i, text) for i, text in enumerate(row))}</tr>" for row in table.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
