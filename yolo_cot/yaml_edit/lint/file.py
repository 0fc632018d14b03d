"""What Ultralytics makes of a model YAML's file name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...paths import config_dir
from ...plugin.naming import scale_letter
from ...plugin.stock import ROOT as ULTRALYTICS
from ..fault import Fault

LETTERS = "nsmlx"


def check_name(path: Path, model: Any) -> list[Fault]:
    """Names from which Ultralytics takes a scale that is not meant, or asks for a file that is not there.

    Ultralytics takes a letter n, s, m, l or x right behind "yolo" and its number as the scale, and, to find the file of
    a scaled name, drops the letter behind the first number in the whole path that has one.

    Args:
        path: the path as it is given on the command line.
        model: the file's content.
    """
    scales = model.get("scales") if isinstance(model, dict) else None
    if not isinstance(scales, dict) or not scales:
        return []
    letter = scale_letter(path)
    family = re.match(r"yolo(e-)?v?\d+", path.stem)
    good = f"{family[0]}-{path.stem[family.end() :].strip('-_') or 'mine'}.yaml" if family else ""
    if letter and (letter not in scales or len(scales) > 1):
        read = f"scale {letter!r}, which the file has not" if letter not in scales else f"scale {letter!r} and no other"
        return [
            Fault(
                -1,
                f"Ultralytics reads the letter behind the number in {path.name!r} as {read} "
                f"(scales: {', '.join(map(str, scales))}).",
                f"Name it {good}: a hyphen behind the number.",
            )
        ]
    if not family or len(scales) < 2 or _known_by_name(path):
        return []
    asked = path.with_name(f"{family[0]}{next(iter(scales))}{path.name[family.end() :]}")
    found = Path(re.sub(r"(\d+)([nslmx])(.+)?$", r"\1\3", str(asked)))  # the rule of Ultralytics' yaml_model_load
    if found == path:
        return []
    return [
        Fault(
            -1,
            f"asked for as {asked}, Ultralytics looks for {found}: it drops the first of {', '.join(LETTERS)} that "
            "follows a digit anywhere in the path.",
            "Rename the folder, or give the path relative to a folder below it.",
        )
    ]


def _known_by_name(path: Path) -> bool:
    """Whether a file is one that Ultralytics or this package ships, which nobody asks for with its folder."""
    shipped = (ULTRALYTICS, config_dir())
    return any(path.resolve().is_relative_to(folder.resolve()) for folder in shipped)


# What a file's name must hold for Ultralytics to build its model with the class that its head needs.
_CLASS_BY_NAME = {"WorldDetect": "-world", "YOLOE": "yoloe", "RTDETR": "rtdetr"}


def class_note(path: Path, model: Any) -> str:
    """What to know where Ultralytics would take another class than the head needs, for it goes by the file's name.

    No fault of the YAML: `RTDETR(path)` and its like still build it.

    Returns:
        One sentence, "" where the name says enough.
    """
    head = str(model["head"][-1][2])
    for start, part in _CLASS_BY_NAME.items():
        if head.startswith(start) and part not in path.stem:
            return (
                f"Ultralytics builds a model with {head} only from a file whose name holds {part!r}; got {path.name}."
            )
    return ""
