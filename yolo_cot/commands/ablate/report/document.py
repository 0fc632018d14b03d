"""What a report is made of, whatever it is written as."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of points."""

    points: Sequence[str]


@dataclass(frozen=True)
class Heading:
    """A heading; the title of the report is of level 1."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Table:
    """A table; its first column, and those named in `text`, hold words.

    Attributes:
        name: what it is called where it stands alone, such as `models`.
        caption: what it shows and how, in a sentence or more.
        header: names of the columns.
        rows: the cells.
        text: the columns that hold words.
    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Sequence[str] = ()

    def words(self, column: int) -> bool:
        """Whether a column holds words."""
        return column == 0 or self.header[column] in self.text


@dataclass(frozen=True)
class Picture:
    """A picture beside the report, and what it shows."""

    file: Path
    caption: str

    @property
    def data(self) -> str:
        """The picture as a URL that holds it."""
        kind = {".svg": "svg+xml", ".jpg": "jpeg"}[self.file.suffix]
        return f"data:image/{kind};base64,{base64.b64encode(self.file.read_bytes()).decode()}"


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    text: str


Part = Text | Points | Heading | Table | Picture | Code


@dataclass
class Document:
    """A report: its title and its parts, in order."""

    title: str
    parts: list[Part] = field(default_factory=list)

    @property
    def tables(self) -> list[Table]:
        """Its tables."""
        return [part for part in self.parts if isinstance(part, Table)]

    def kind(self, part: Part) -> str:
        """The name of a part's class, for templates."""
        return type(part).__name__
