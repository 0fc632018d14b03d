"""Errors of a model YAML, with file and row in front."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

# The frame in which each of Ultralytics' loops over the rows stands, and how the row's number is read from it.
_ROW_IN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "parse_model": lambda names: names.get("i") if "layers" in names else None,
    "_predict_once": lambda names: getattr(names.get("m"), "i", None),
}


# Characters of a module's own words in an error; torch lists whole signatures.
MOST_REASON = 400


class RowError(ValueError):
    """A row of a model YAML that cannot be built; the message names file and row."""


def rows(model: Mapping[str, Any]) -> list[Any]:
    """Return all rows of a model dictionary, backbone then head."""
    return [*(model.get("backbone") or []), *(model.get("head") or [])]


def where(model: dict[str, Any], index: int | None = None) -> str:
    """File and row, as errors name them."""
    file = model.get("yaml_file") or "model dictionary"
    return str(file) if index is None else f"{file} row {index}"


def one_line(text: str, most: int) -> str:
    """Text without line breaks and what a terminal would act on, cut where it is long."""
    text = " ".join(text[: 2 * most].split())
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= most else f"{text[:most]}…"


def shown(value: object, most: int = 80) -> str:
    """A value as an error shows it."""
    return one_line(str(value), most)


def located(model: dict[str, Any], error: Exception) -> RowError:
    """The error of a row, with file and row in front.

    Args:
        model: the model dictionary.
        error: what was raised while the model was parsed or run; its traceback holds the row.
    """
    row = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        read = _ROW_IN.get(frame.f_code.co_name)
        row = row if read is None or read(frame.f_locals) is None else read(frame.f_locals)
    every = rows(model)
    named = isinstance(row, int) and row < len(every) and isinstance(every[row], (list, tuple)) and len(every[row]) > 2
    name = f" ({every[row][2]})" if isinstance(row, int) and named else ""
    plain = isinstance(error, (ValueError, TypeError)) and str(error)
    reason = one_line(str(error) if plain else f"{type(error).__name__}: {error}", MOST_REASON)
    return RowError(f"{where(model, row if isinstance(row, int) else None)}{name}: {reason}")
