"""`yolo-cot insert`: put a block into any model YAML, or in the place of others, indices moved along."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from ..yaml_edit.insert import insert
from ..yaml_edit.lint import lint
from ..yaml_edit.lint.file import class_note
from .arguments import argument, at_least, others


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot insert base=yolo11.yaml block=CoTAttention at=P5 gate=0.0 out=yolo11-mine.yaml"""

    base: str = argument("a model YAML: a path, or a name that Ultralytics or yolo-cot ships")
    block: str | None = argument("the block to put in", None)
    at: tuple[str, ...] = argument("rows or levels behind which it goes, such as 4, P3, neck.P5", ())
    after: tuple[str, ...] = argument("modules behind which it goes, such as SPPF", ())
    before: tuple[str, ...] = argument("modules in front of which it goes", ())
    replace: str | None = argument("OLD:NEW, modules or rows and the block to put in their place", None)
    repeats: int = argument("how often the block is repeated, ahead of depth scaling", 1, rule=at_least(1))
    settings: dict[str, Any] = others("an argument of the block, such as gate=0.0")
    out: Path = argument("the file to write; one that exists is kept")


def main(arguments: Arguments) -> None:
    """Write the new YAML and say what was changed.

    Raises:
        ValueError: a name or place that does not exist, or a block that does not fit there.
        FileNotFoundError: no such base, or no such folder for the new file.
    """
    out = arguments.out
    if not out.resolve().parent.is_dir():
        raise FileNotFoundError(f"the folder of out={out} does not exist; make it first.")
    if out.exists():
        raise ValueError(f"{out} exists and is kept. Give another out=, or move it away.")
    places = [*arguments.at]
    places += [f"{key}={name}" for key in ("after", "before") for name in getattr(arguments, key)]
    edited = insert(
        arguments.base,
        str(out),
        block=arguments.block,
        at=places or None,
        replace=arguments.replace,
        repeats=arguments.repeats,
        arguments=arguments.settings,
        command=written(arguments),
    )
    for row in edited.rows:
        print(row)
    for note in [class_note(out, yaml.safe_load(edited.text)), *map(str, lint(str(out)))]:
        if note:
            print(f"note: {note}")
    print(f"wrote {out}; yolo-cot show model={out} shows it, yolo-cot lint model={out} checks it")


def written(arguments: Arguments) -> str:
    """The command that gives these arguments, for the new file's header."""
    words = []
    for field in fields(arguments):
        value = getattr(arguments, field.name)
        given = value if isinstance(value, dict) else {field.name: value} if value != field.default else {}
        for key, value in given.items():
            text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            words.append(f"{key}={shlex.quote(text)}")
    return " ".join(["yolo-cot insert", *words])
