"""Edit the text of a model YAML: blocks go in, or take the place of others, and every index below them moves along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced

from ..plugin.catalog.files import path_of
from ..plugin.probe import Probed, probe
from .blocks import block_named, check_arguments, passes_on, with_blocks
from .form import require_form
from .graph import Row, readers, rows_of
from .new_rows import new_row, swapped_args
from .places import Place, resolve
from .rewire import rewire
from .text import ModelText


@dataclass(frozen=True)
class Insertion:
    """A block and where it goes in.

    Attributes:
        block: its name.
        at: where, as `places.resolve` reads it: `P3`, `neck.P5`, `after=SPPF`, `before=Detect`, `7`, several of them.
        arguments: its arguments by name: {"gate": 0.0}.
        repeats: how often each row is repeated, ahead of depth scaling.
    """

    block: str
    at: str | int | Sequence[str | int]
    arguments: Mapping[str, object] = field(default_factory=dict)
    repeats: int = 1


@dataclass(frozen=True)
class Swap:
    """Modules that give their place to blocks of ours.

    Attributes:
        replace: `OLD:NEW` pairs with commas between them, OLD a module name or a row number of the base.
        arguments: arguments of the blocks by name.
    """

    replace: str | Mapping[str | int, str]
    arguments: Mapping[str, object] = field(default_factory=dict)


NOTHING = Swap({})


@dataclass(frozen=True)
class NewRow:
    """A row of ours in the new file.

    Attributes:
        index: its number there.
        block: its module.
        place: where it went in, in words.
        readers: the rows that read it.
    """

    index: int
    block: str
    place: str
    readers: tuple[int, ...]

    def __str__(self) -> str:
        by = ", ".join(map(str, self.readers)) or "none"
        return f"Row {self.index}: {self.block} {self.place}; read by row{'s' * (len(self.readers) > 1)} {by}."


@dataclass(frozen=True)
class Edited:
    """A model YAML with our blocks in it.

    Attributes:
        text: the YAML.
        rows: the inserted and replaced rows, in order.
        moved: the new number of each row of the base.
    """

    text: str
    rows: list[NewRow]
    moved: list[int]


def edit(
    text: str,
    name: str,
    insertions: Sequence[Insertion] = (),
    swap: Swap = NOTHING,
    title: str = "",
    notes: Sequence[str] = (),
) -> Edited:
    """Insert blocks at named places of a model YAML, and replace modules by ours.

    Every row that read the row behind which a block goes in reads the block instead; all other rows read what they
    read before. Comments, scales and layout stay; a header says what was changed.

    Args:
        text: the YAML.
        name: its file name.
        insertions: blocks to put in; of two at one place the first one counts.
        swap: modules to replace.
        title: the new file's name, for the header.
        notes: lines for the header, ahead of those that name the changed rows.

    Raises:
        ValueError: a name, place or argument that is not known, or a block that cannot be built there at some scale.
    """
    source = ModelText(text, name)
    rows = require_form(source.values, name)
    swaps = {row: block_named(new).name for row, new in _swaps(swap.replace, rows, name).items()}
    insertions = [replaced(one, block=block_named(one.block).name) for one in insertions]
    for block in set(swaps.values()):
        check_arguments(block, swap.arguments)
    for insertion in insertions:
        check_arguments(insertion.block, insertion.arguments)
    scales = list(source.values.get("scales") or [""])
    built = {scale: probe(source.values, scale) for scale in scales}
    places: dict[Place, Insertion] = {}
    for insertion in insertions:
        taken = {(p.row, p.before) for p in places}
        found = resolve(insertion.at, rows, built[scales[0]], name)
        places |= {place: insertion for place in found if (place.row, place.before) not in taken}

    for index, block in swaps.items():
        written = source.text[slice(*source.rows[index].args)]
        source.set_module(index, block, swapped_args(rows[index], block, swap.arguments, built, written))
    new = {
        place: [
            new_row(put.block, put.repeats, put.arguments, on, rows, built, source.values)
            for on in (rows[place.row].sources if place.before else (place.row,))
        ]
        for place, put in places.items()
    }
    moved, numbers = rewire(source, rows, new)
    added = {n: (put.block, _where(place, rows)) for place, put in places.items() for n in numbers[place]}
    added |= {moved[i]: (block, f"in place of {rows[i].module}") for i, block in swaps.items()}
    after = ModelText(source.edited(), name)
    _verify(after, set(added), moved, built)
    after_rows = rows_of(after.values)
    result = [NewRow(n, *added[n], tuple(r.index for r in readers(after_rows, n))) for n in sorted(added)]
    blocks = ", ".join(dict.fromkeys(row.block for row in result))
    header = [f"{title + ': ' if title else ''}{name} with {blocks}", *notes, *map(str, result), *_remarks(name, text)]
    paths = [path for row in result if (path := path_of(row.block))]
    return Edited(with_blocks(source.edited(header), paths, name), result, moved)


def _swaps(replace: str | Mapping[str | int, str], rows: list[Row], model: str) -> dict[int, str]:
    """The rows that change their module, {row: new name}."""
    if isinstance(replace, str):
        pairs = [pair.split(":") for pair in replace.replace(" ", "").strip("{}").split(",")]
        if any(len(pair) != 2 or not all(pair) for pair in pairs):
            raise ValueError(f"replace takes OLD:NEW, several with commas; got {replace!r}.")
    else:
        pairs = [[str(old), new] for old, new in replace.items()]
    swaps: dict[int, str] = {}
    for old, new in pairs:
        found = [r.index for r in rows if r.module == old or str(r.index) == old]
        if not found:
            raise ValueError(f"{model} has no row of {old!r}. It uses {', '.join(sorted({r.module for r in rows}))}.")
        swaps |= dict.fromkeys(found, new)
    return swaps


def _where(place: Place, rows: list[Row]) -> str:
    name = "" if place.name.isdigit() else f", {place.name}"
    return f"{'before' if place.before else 'after'} {rows[place.row].module} (row {place.row} of the base{name})"


def _verify(text: ModelText, new: set[int], moved: list[int], built: Mapping[str, list[Probed]]) -> None:
    """Build the edited rows at every scale: ours must build, and the base's rows must give what they gave."""
    faults: dict[int, list[str]] = {}
    errors: dict[int, str] = {}
    for scale, before in built.items():
        after = probe(text.values, scale, assume=passes_on)
        told = {index: after[index].error for index in new if after[index].error}
        if not told:
            pairs = ((index, before[old], after[index]) for old, index in enumerate(moved) if index not in new)
            changed = (i for i, was, now in pairs if (was.error, was.shape) != (now.error, now.shape))
            told = {i: after[i].error or "its output would have another shape" for i in list(changed)[:1]}
        for index, error in told.items():
            faults.setdefault(index, []).append(scale)
            errors.setdefault(index, error)
    if faults:
        rows = rows_of(text.values)
        lines = []
        for index, scales in sorted(faults.items()):
            at = f" at scale {', '.join(scales)}" if any(scales) else ""
            lines.append(f"{rows[index]}{at}: {errors[index]}")
        raise ValueError(f"{text.name} with these changes cannot be built: " + " ".join(lines))


def _remarks(name: str, text: str) -> list[str]:
    """What a reader of the new file should know of its weights and its figures."""
    stem = name.rsplit(".", 1)[0]
    lines = [f"Weights of {stem} keep their rows: pretrained=FILE.pt moves each tensor to its new place."]
    if "summary" in text or "GFLOPs" in text:
        lines.append(f"Layers, parameters and GFLOPs named below are those of {name}.")
    return lines
