"""`yolo-cot insert`: put a block into any model YAML, or in the place of others, indices moved along."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..yaml_edit.insert import insert
from ..yaml_edit.lint import lint
from ..yaml_edit.lint.file import class_note

EXAMPLE = "yolo-cot insert base=yolo11.yaml block=CoTAttention at=P5 gate=0.0 out=yolo11-mine.yaml"
KEYS = ("base", "block", "at", "after", "before", "replace", "repeats", "out")


def main(overrides: dict[str, object]) -> None:
    """Write the new YAML and say what was changed.

    Args:
        overrides: `base`, a model YAML's path or name; `out`, the file to write; `block` and its place (`at`, or
            `after` and `before` with a module's name), or `replace=OLD:NEW`; `repeats` (1). Every other key is an
            argument of the block, such as `gate=0.0`.

    Raises:
        ValueError: an argument, name or place that does not exist, or a block that does not fit there.
        FileNotFoundError: no such base, or no such folder for the new file.
    """
    given = dict(overrides)
    settings = {key: given.pop(key, None) for key in KEYS}
    base, out, repeats = settings["base"], settings["out"], settings["repeats"]
    if base is None or out is None:
        raise ValueError(f"yolo-cot insert needs base= and out=. Example: {EXAMPLE}")
    if not Path(str(out)).resolve().parent.is_dir():
        raise FileNotFoundError(f"the folder of out={out} does not exist; make it first.")
    if Path(str(out)).exists():
        raise ValueError(f"{out} exists and is kept. Give another out=, or move it away.")
    if repeats is not None and (not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1):
        raise ValueError(f"repeats is a whole number of at least 1; got {repeats!r}.")
    places = [str(name) for name in _listed(settings["at"])]
    places += [f"{key}={name}" for key in ("after", "before") for name in _listed(settings[key])]
    command = "yolo-cot insert " + " ".join(f"{key}={_plain(value)}" for key, value in overrides.items())
    edited = insert(
        str(base),
        str(out),
        block=None if settings["block"] is None else str(settings["block"]),
        at=places or None,
        replace=None if settings["replace"] is None else str(settings["replace"]),
        repeats=1 if repeats is None else repeats,
        arguments=given,
        command=command,
    )
    for row in edited.rows:
        print(row)
    for told in [class_note(Path(str(out)), yaml.safe_load(edited.text)), *map(str, lint(str(out)))]:
        if told:
            print(f"note: {told}")
    print(f"wrote {out}; yolo-cot show model={out} shows it, yolo-cot lint model={out} checks it")


def _listed(value: object) -> list[object]:
    """One name, several with commas between them, or a list of them, as a list."""
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return list(value)
    return [name for name in str(value).strip("[]() ").split(",") if name.strip()]


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
