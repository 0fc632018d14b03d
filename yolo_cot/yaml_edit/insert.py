"""Put blocks into a model YAML, or in the place of others, with every index below them moved along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..plugin.probe import Probed, probe
from .blocks import check_arguments, new_row, passes_on, swapped_args
from .files import find_model
from .graph import Row, readers, rows_of
from .lint.file import check_scales
from .lint.rows import check_sources
from .places import Place, resolve
from .rewire import rewire
from .text import ModelText


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


def insert(
    base: str | Path,
    out: str | Path | None = None,
    *,
    block: str | None = None,
    at: str | int | Sequence[str | int] | None = None,
    replace: str | Mapping[str | int, str] | None = None,
    repeats: int = 1,
    arguments: Mapping[str, object] | None = None,
    command: str = "",
) -> Edited:
    """Insert a block at named places of a model YAML, or replace modules by ours, and write the new YAML.

    Every row that read the row behind which a block goes in reads the block instead; all other rows read what they
    read before. Comments, scales and layout stay; a header says what was changed.

    Args:
        base: the model YAML: a path, or the name of one that Ultralytics or this package ships.
        out: the file to write; nothing is written if None.
        block: the name of the block to insert.
        at: where, as `places.resolve` reads it: `P3`, `neck.P5`, `after=SPPF`, `before=Detect`, `7`, several of them.
        replace: `OLD:NEW` pairs with commas between them, OLD a module name or a row number of the base.
        repeats: how often an inserted row is repeated, ahead of depth scaling.
        arguments: arguments of the inserted block, or, with `replace` alone, of those that replace: {"gate": 0.0}.
        command: the command to name in the header, where there was one.

    Raises:
        ValueError: a name, place or argument that is not known, or a block that cannot be built there at some scale.
        FileNotFoundError: there is no such base.
    """
    if (block is None) != (at is None) or (block is None and replace is None):
        raise ValueError("insert needs block= and at=, or replace=OLD:NEW, or all three.")
    path, _ = find_model(base)
    source = ModelText(path.read_bytes().decode("utf-8"), path.name)
    rows, arguments = rows_of(source.values), dict(arguments or {})
    if faults := [*check_scales(source.values), *check_sources(rows)]:
        raise ValueError(f"{path.name} must be mended first: " + " ".join(map(str, faults)))
    swaps = _swaps(replace, rows, path.name)
    swap_arguments = {} if block else arguments
    for name in set(swaps.values()):
        check_arguments(name, swap_arguments)
    if block:
        check_arguments(block, arguments)
    scales = list(source.values.get("scales") or [""])
    built = {scale: probe(source.values, scale) for scale in scales}
    places = resolve(at, rows, built[scales[0]], path.name) if block else []

    for index, name in swaps.items():
        written = source.text[slice(*source.rows[index].args)]
        source.set_module(index, name, swapped_args(rows[index], name, swap_arguments, built, written))
    new = {
        place: [
            new_row(str(block), repeats, arguments, on, rows, built, source.values) for on in _carriers(place, rows)
        ]
        for place in places
    }
    moved, numbers = rewire(source, rows, new)
    added = {n: (str(block), _where(p, rows)) for p in places for n in numbers[p]}
    added |= {moved[i]: (name, f"in place of {rows[i].module}") for i, name in swaps.items()}
    after = ModelText(source.edited(), path.name)
    _verify(after, set(added), moved, built)
    after_rows = rows_of(after.values)
    result = [NewRow(n, *added[n], tuple(r.index for r in readers(after_rows, n))) for n in sorted(added)]
    header = _header(result, path.name, Path(out).name if out else "", command, source.text)
    edited = Edited(source.edited(header), result, moved)
    if out is not None:
        Path(out).write_bytes(edited.text.encode("utf-8"))
    return edited


def _swaps(replace: str | Mapping[str | int, str] | None, rows: list[Row], model: str) -> dict[int, str]:
    """The rows that change their module, {row: new name}."""
    if replace is None:
        return {}
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


def _carriers(place: Place, rows: list[Row]) -> tuple[int, ...]:
    """The rows whose feature maps pass through the new rows at this place."""
    return rows[place.row].sources if place.before else (place.row,)


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


def _header(rows: list[NewRow], base: str, name: str, command: str, text: str) -> list[str]:
    blocks = ", ".join(dict.fromkeys(row.block for row in rows))
    lines = [f"{name + ': ' if name else ''}{base} with {blocks}"]
    if command:
        lines.append(f"Made by: {command}")
    lines += [str(row) for row in rows]
    lines.append(
        f"Weights of {Path(base).stem} keep their rows: pretrained=FILE.pt moves each tensor to its new place."
    )
    if "summary" in text or "GFLOPs" in text:
        lines.append(f"Layers, parameters and GFLOPs named below are those of {base}.")
    return lines
