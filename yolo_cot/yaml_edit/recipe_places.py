"""Find the places of an idea in one base: which rows it uses, and what it does where a place is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..plugin.probe import Probed, probe
from .edit import NOTHING, Insertion, Swap
from .graph import Row, rows_of
from .places import levels
from .recipes import IDEAS, Idea


@dataclass(frozen=True)
class Plan:
    """What `edit` is to do with a base, and what the new file's reader should know of the places."""

    insertions: list[Insertion]
    swap: Swap
    notes: list[str]


class _Found(NamedTuple):
    """A block, the place that the idea names, and the one that it gets: a level or a row's number, "" for none."""

    block: str
    place: str
    used: str


def plan(idea: Idea, model: dict[str, Any], name: str) -> Plan:
    """The rows of a base that an idea uses.

    A level that the neck has not is taken in the backbone; one that is not there either, or that has a block of this
    idea already, gives its place to the backbone's coarsest free level. A level without the module to replace is left
    as it is.

    Args:
        idea: the idea.
        model: the base.
        name: the base's file name, for errors.

    Raises:
        ValueError: one of the idea's blocks has no place in this base.
    """
    rows, built = rows_of(model), probe(model)
    found = _replaced(idea, rows, built) if idea.replaces else _behind(idea, rows, built)
    if homeless := set(idea.blocks) - {f.block for f in found if f.used}:
        wanted = ", ".join(idea.blocks[min(homeless)].split())
        missing = f"no {idea.replaces} at {wanted}" if idea.replaces else "no level left"
        others = ", ".join(other.name for other in IDEAS.values() if not other.replaces and len(other.blocks) == 1)
        raise ValueError(
            f"{name} has {missing} for {', '.join(sorted(homeless))}, so {idea.name!r} does not fit it. "
            f"Use one of {others}."
        )
    named = "; ".join(f"{block} at {', '.join(places.split())}" for block, places in idea.blocks.items())
    notes = [f"Idea {idea.name}: {named}{f', in place of {idea.replaces}' if idea.replaces else ''}."]
    if idea.replaces:
        notes += [f"No {idea.replaces} at {f.place} in {name}: nothing is replaced there." for f in found if not f.used]
        return Plan([], Swap({f.used: f.block for f in found if f.used}, idea.arguments), notes)
    notes += [f"No {f.place} in {name}: {f.used or 'nothing'} instead." for f in found if f.used != f.place]
    at = {block: [f.used for f in found if f.block == block and f.used] for block in idea.blocks}
    return Plan([Insertion(block, places, idea.arguments) for block, places in at.items()], NOTHING, notes)


def _behind(idea: Idea, rows: list[Row], built: list[Probed]) -> list[_Found]:
    """The places of an idea that puts rows in."""
    backbone, neck = (levels(part, rows, built) for part in ("backbone", "neck"))
    # Finer levels than P3 would cost more than the rest of the model.
    fallback = [level for level in reversed(backbone) if level >= "P3"]
    free = {*fallback, *(f"neck.{level}" for level in neck)}
    found = []
    for block, place in idea.places:
        used = next((wish for wish in (place, place.removeprefix("neck."), *fallback) if wish in free), "")
        free.discard(used)
        found.append(_Found(block, place, used))
    return found


def _replaced(idea: Idea, rows: list[Row], built: list[Probed]) -> list[_Found]:
    """The places of an idea whose blocks take the place of a module: its last row of each level."""
    found = []
    for block, place in idea.places:
        part, stride = "head" if place.startswith("neck.") else "backbone", 2 ** int(place[-1])
        fitting = [
            str(row.index)
            for row in rows
            if (row.part, row.module) == (part, idea.replaces) and built[row.index].stride == stride
        ]
        found.append(_Found(block, place, fitting[-1] if fitting else ""))
    return found
