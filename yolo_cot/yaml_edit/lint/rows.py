"""Faults that a row has by itself: its form, its indices, its name, its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...plugin.probe import Probed, is_head, known_module
from ..blocks import did_you_mean
from ..graph import Row
from .fault import Fault


def check_forms(model: dict[str, Any]) -> list[Fault]:
    """Rows that are not [from, repeats, module, [args]]."""
    faults = []
    for index, row in enumerate([*model["backbone"], *model["head"]]):
        what = ""
        if not isinstance(row, list) or len(row) != 4:
            what = f"a row is [from, repeats, module, [args]]; got {row!r}."
        elif not _is_from(row[0]):
            what = f"'from' is a whole number or a list of them; got {row[0]!r}."
        elif not isinstance(row[1], int) or isinstance(row[1], bool) or row[1] < 1:
            what = f"repeats is a whole number of at least 1; got {row[1]!r}."
        elif not isinstance(row[2], str):
            what = f"the module is a name; got {row[2]!r}."
        elif not isinstance(row[3], list):
            what = f"the arguments are a list; got {row[3]!r}."
        if what:
            faults.append(Fault(index, what, "Write for example [-1, 1, Conv, [64, 3, 2]]."))
    return faults


def _is_from(value: object) -> bool:
    numbers = value if isinstance(value, list) else [value]
    return bool(numbers) and all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)


def check_sources(rows: Sequence[Row]) -> list[Fault]:
    """Indices that point at no row above."""
    faults = []
    for row in rows:
        for position, (written, source) in enumerate(zip(row.written, row.sources)):
            if row.index == 0:
                if (written, row.listed) != (-1, False):
                    what, remedy = f"the first row reads the image; got from={written}.", "Write -1."
                    faults.append(Fault(0, what, remedy, row.module, position))
            elif not 0 <= source < row.index:
                at = "itself" if source == row.index else f"row {source}"
                what = f"reads {at} (from={written}), but only rows 0 to {row.index - 1} stand above it."
                faults.append(Fault(row.index, what, "Write one of these, or -1.", row.module, position))
    return faults


def check_builds(rows: Sequence[Row], built: Mapping[str, Sequence[Probed]]) -> list[Fault]:
    """Names that are not known, and rows that cannot be built at some scale, with the module's own words."""
    faults = []
    for row in rows:
        if not known_module(row.module):
            faults.append(
                Fault(row.index, f"no module is called {row.module!r}.", did_you_mean(row.module), row.module)
            )
            continue
        errors = {scale: of[row.index].error for scale, of in built.items() if of[row.index].error}
        if not errors:
            continue
        takes_list = row.module in ("Concat", "CBFuse") or (is_head(row.module) and row.module != "Classify")
        if takes_list and not row.listed:
            what, remedy = f"reads several rows; got from={row.written[0]}.", f"Write a list, [{row.written[0]}, ...]."
        elif row.listed and len(row.written) == 1 and not takes_list:
            what, remedy = f"reads one row; got from={list(row.written)}.", f"Write {row.written[0]}."
        else:
            at = f" (at scale {', '.join(errors)})" if set(errors) - {""} else ""
            error = next(iter(errors.values()))
            what, remedy = f"cannot be built{at}: {error}", "" if error.endswith(".") else "Change its arguments."
        faults.append(Fault(row.index, what, remedy, row.module))
    return faults
