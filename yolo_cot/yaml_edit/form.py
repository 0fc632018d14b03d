"""What a model YAML must be before anything else can be asked of it: scales, rows and indices of the right form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..plugin.row_errors import rows as all_rows
from .fault import Fault
from .graph import Row


def check_scales(model: dict[str, Any]) -> list[Fault]:
    """Scales that are not {letter: [depth, width, largest channel count]}."""
    scales = model.get("scales")
    if scales is None:
        return []
    right = isinstance(scales, dict) and all(
        isinstance(s, list) and len(s) == 3 and all(isinstance(x, (int, float)) and x > 0 for x in s)
        for s in scales.values()
    )
    if right and scales:
        return []
    return [
        Fault(-1, f"scales must be {{letter: [depth, width, max_channels]}}; got {scales!r}.", "Write three numbers.")
    ]


def check_forms(model: dict[str, Any]) -> list[Fault]:
    """Rows that are not [from, repeats, module, [args]]."""
    faults = []
    for index, row in enumerate(all_rows(model)):
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
