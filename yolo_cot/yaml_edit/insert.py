"""Put a block into the YAML of any model, or in the place of others, and write the new YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace as replaced
from pathlib import Path

from ..whole_file import write_text
from .edit import Edited, Insertion, Swap, edit
from .files import find_model
from .reading import read_text
from .recipe_files import made
from .recipe_names import recipe_named


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

    Args:
        base: the model YAML: a path, or the name of one that Ultralytics or this package ships. The name of a recipe
            alone, such as `yolo26-cot-seg.yaml`, writes what that name opens.
        out: the file to write; nothing is written if None.
        block: the name of the block to insert.
        at: where, as `Insertion.at`.
        replace: what to replace, as `Swap.replace`.
        repeats: how often an inserted row is repeated, ahead of depth scaling.
        arguments: arguments of the inserted block, or, with `replace` alone, of those that replace: {"gate": 0.0}.
        command: the command to name in the header, where there was one.

    Raises:
        ValueError: a name, place or argument that is not known, or a block that cannot be built there at some scale.
        FileNotFoundError: there is no such base.
    """
    recipe = recipe_named(str(base)) if block is None and at is None and replace is None else None
    if recipe:
        edited = replaced(made(recipe), text=read_text(find_model(base)[0]))
        return _written(edited, out)
    if (block is None) != (at is None) or (block is None and replace is None):
        raise ValueError("insert needs block= and at=, or replace=OLD:NEW, or all three.")
    path, _ = find_model(base)
    arguments = dict(arguments or {})
    insertions = [] if block is None or at is None else [Insertion(block, at, arguments, repeats)]
    swap = Swap(replace or {}, {} if insertions else arguments)
    text = read_text(path)
    notes = [f"Made by: {command}"] if command else []
    return _written(edit(text, path.name, insertions, swap, Path(out).name if out else "", notes), out)


def _written(edited: Edited, out: str | Path | None) -> Edited:
    if out is not None:
        write_text(Path(out), edited.text)
    return edited
