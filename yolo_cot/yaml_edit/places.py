"""Named places in a model: `P4`, `neck.P5`, `after=SPPF`, `before=Detect`, `7`, resolved to rows by building them."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass

from ..plugin.layers import is_head
from ..plugin.probe import Probed
from .graph import IMAGE, Row

GRAMMAR = "P3 (backbone), neck.P3, after=MODULE, before=MODULE or a row number, several with commas"


@dataclass(frozen=True)
class Place:
    """Where a row goes in.

    Attributes:
        row: the row of the base that the place belongs to.
        before: False: behind `row`, and whoever read it reads the new row. True: ahead of `row`, one new row for each
            of its inputs, and nobody else reads those.
        name: what the place was called.
    """

    row: int
    before: bool
    name: str


def resolve(spec: object, rows: list[Row], built: list[Probed], model: str = "model") -> list[Place]:
    """The places that a text names.

    Args:
        spec: names with commas between them, or a list of names; `P3` to `P7` mean the backbone's unless `neck.` (or
            `backbone.`) stands ahead.
        rows: the model's rows.
        built: what each row gives.
        model: what to call the model in errors.

    Returns:
        The places without repetition, in the model's order.

    Raises:
        ValueError: a name means nothing in this model, or the row there gives or takes no feature map.
    """
    names = spec if isinstance(spec, (list, tuple)) else str(spec).strip("[]() ").split(",")
    found: dict[tuple[int, bool], Place] = {}
    for name in (str(n).strip().strip("'\"") for n in names):
        for row, before in _named(name, rows, built, model):
            _check(rows[row], before, rows, built, model, name)
            found.setdefault((row, before), Place(row, before, name))
    return sorted(found.values(), key=lambda p: (p.row, not p.before))


def levels(part: str, rows: list[Row], built: list[Probed]) -> dict[str, int]:
    """The pyramid of a part, as {"P3": row, ...}.

    In the backbone a level is the last row of its stride, which is what a neck reads; in the neck it is the row that
    the head reads.
    """
    if part == "backbone":
        candidates = [r.index for r in rows if r.part == "backbone"]
    else:
        candidates = [s for s in rows[-1].sources if s >= 0 and rows[s].part == "head"]
    strides = {built[i].stride: i for i in candidates if built[i].stride}
    return {f"P{int(math.log2(s))}": strides[s] for s in sorted(k for k in strides if k and k > 1)}


def _named(name: str, rows: list[Row], built: list[Probed], model: str) -> list[tuple[int, bool]]:
    if re.fullmatch(r"\d+", name):
        if int(name) >= len(rows):
            raise ValueError(f"{model} has rows 0 to {len(rows) - 1}; got row {name}.")
        return [(int(name), False)]
    if level := re.fullmatch(r"(?:(backbone|neck)[.:])?(p\d)", name, re.IGNORECASE):
        part = (level[1] or "backbone").lower()
        known = levels(part, rows, built)
        if level[2].upper() not in known:
            broken = next((f"; {rows[i]} cannot be built: {b.error}" for i, b in enumerate(built) if b.error), "")
            has = ", ".join(f"{k} (row {v})" for k, v in known.items()) or "none"
            raise ValueError(f"{model} has no {level[2].upper()} in its {part}; its levels there: {has}{broken}.")
        return [(known[level[2].upper()], False)]
    if relative := re.fullmatch(r"(after|before)\s*[=:]\s*([\w.]+)", name, re.IGNORECASE):
        before = relative[1].lower() == "before"
        if relative[2].isdigit():
            return [(row, before) for row, _ in _named(relative[2], rows, built, model)]
        matching = [(r.index, before) for r in rows if r.module == relative[2]]
        if not matching:
            known_names = sorted({r.module for r in rows})
            close = difflib.get_close_matches(relative[2], known_names, 1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"{model} has no row of {relative[2]!r}. {hint}It uses {', '.join(known_names)}.")
        return matching
    raise ValueError(f"{name!r} names no place in {model}. Give {GRAMMAR}.")


def _check(row: Row, before: bool, rows: list[Row], built: list[Probed], model: str, name: str) -> None:
    """Refuse a place where it is known that no feature map passes."""
    for source in row.sources if before else (row.index,):
        if source == IMAGE:
            raise ValueError(f"{model} {row} reads the image itself, so no block can stand before it; got {name!r}.")
        if is_head(rows[source].module):
            raise ValueError(f"{model} {rows[source]} is the model's end; got {name!r}. Use before={row.module}.")
        if built[source].module is not None and built[source].channels is None:
            raise ValueError(f"{model} {rows[source]} gives no single feature map, so no block fits; got {name!r}.")
