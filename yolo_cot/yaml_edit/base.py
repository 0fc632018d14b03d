"""Which YAML of Ultralytics a model YAML was made from, and which row of it stands where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ..plugin.catalog import stock_names
from ..plugin.stock import stock_files
from ..plugin.transfer import Layer, align, row_texts
from .graph import Row, rows_of, through


@dataclass(frozen=True)
class Base:
    """A base of a model YAML.

    Attributes:
        path: its file.
        model: its content.
        pairs: for every row of the model the row of the base that it is, None for a row put in.
    """

    path: Path
    model: dict[str, Any]
    pairs: list[int | None]

    @property
    def inserted(self) -> set[int]:
        """The model's rows that the base has not."""
        return {i for i, b in enumerate(self.pairs) if b is None}

    def moved(self, row: int) -> int:
        """The number in the model of a row of the base."""
        return self.pairs.index(row)

    def name(self, scale: str) -> str:
        """What it is called at a scale, such as `yolo11n-seg`; a base without scales has one name."""
        return re.sub(r"\d+", rf"\g<0>{scale}", self.path.stem, count=1) if self.model.get("scales") else self.path.stem


@lru_cache(maxsize=1)
def _stock() -> list[tuple[Path, dict[str, Any], list[str]]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C, where PyYAML has it: ten times as fast
    models = [(path, yaml.load(path.read_text(encoding="utf-8"), loader)) for path in stock_files()]
    return [(path, model, row_texts(model, {})) for path, model in models]


def compare(model: dict[str, Any], path: Path, base: dict[str, Any]) -> Base:
    """Pair the rows of a model with those of a given base, by what they say."""
    old, new = ([Layer(text) for text in row_texts(m, stock_names())] for m in (base, model))
    return Base(path, base, align(old, new))


def find_base(model: dict[str, Any]) -> Base | None:
    """The stock YAML all of whose rows the model has, in order, with the fewest rows put in; None if there is none.

    Rows put in must read one row each, so that what passes through them can be followed.
    """
    texts, rows = row_texts(model, stock_names()), rows_of(model)
    found = []
    for path, stock, stock_texts in _stock():
        if len(stock_texts) <= len(texts) and set(stock_texts) <= set(texts):
            pairs = align([Layer(t) for t in stock_texts], [Layer(t) for t in texts])
            base = Base(path, stock, pairs)
            if len(base.inserted) == len(texts) - len(stock_texts) and not any(rows[i].listed for i in base.inserted):
                found.append(base)
    return min(found, key=lambda b: (len(b.inserted), len(unmoved(rows, b))), default=None)


@dataclass(frozen=True)
class Unmoved:
    """An index that was not moved along: the row, the position in its `from`, what it reads and what it should."""

    row: int
    position: int
    reads: int
    meant: int


def unmoved(rows: list[Row], base: Base) -> list[Unmoved]:
    """The indices that do not reach, through rows put in, the row that they reach in the base.

    Only those within as many rows of the right one as were put in: others were rewired on purpose. Where there are
    any, indices that pass by a row put in right behind what they read were not moved either.
    """
    astray, passing = [], []
    base_rows, inserted = rows_of(base.model), base.inserted
    for row, paired in zip(rows, base.pairs):
        if paired is None or len(row.sources) != len(base_rows[paired].sources):
            continue
        for position, (reads, in_base) in enumerate(zip(row.sources, base_rows[paired].sources)):
            if in_base < 0 or not 0 <= reads < row.index:
                continue
            meant = base.moved(in_base)
            found = Unmoved(row.index, position, reads, output_of(rows, meant, inserted))
            if through(rows, reads, inserted) == meant:
                if row.written[position] >= 0 and reads == meant != found.meant:
                    passing.append(found)
            elif abs(reads - meant) <= len(inserted):
                astray.append(found)
    return sorted([*astray, *passing], key=lambda u: (u.row, u.position)) if astray else []


def output_of(rows: list[Row], index: int, inserted: set[int]) -> int:
    """The last of the rows put in right behind a row, one upon the other; the row itself if there is none."""
    while index + 1 in inserted and rows[index + 1].sources == (index,):
        index += 1
    return index
