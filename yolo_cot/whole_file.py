"""Text and JSON files that are there whole or not at all, and whose faults are told with the file's name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_text(file: Path, text: str) -> None:
    """Write a text file, line ends as they are; where that fails, on a full disk say, the file stays as it was."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            # Without this a power cut can leave an empty file under the new name.
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write JSON.

    Raises:
        ValueError: a number that JSON cannot hold, such as NaN.
    """
    write_text(file, json.dumps(content, indent=1, allow_nan=False))


def read_json(file: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises:
        ValueError: the file is empty or cut, or a number in it is none.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{file} holds {name} where a number belongs.")

    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is empty, cut or damaged ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged: it holds no JSON object.")
    return content
