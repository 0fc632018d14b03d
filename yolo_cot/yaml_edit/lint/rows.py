"""Rows that cannot be built, with the module's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...plugin.layers import is_head, known_module
from ...plugin.probe import Probed
from ..blocks import did_you_mean
from ..fault import Fault
from ..graph import Row


def check_builds(rows: Sequence[Row], built: Mapping[str, Sequence[Probed]]) -> list[Fault]:
    """Names that are not known, and rows that cannot be built at some scale, with the module's own words."""
    faults = []
    for row in rows:
        if any(of[row.index].unchecked for of in built.values()):
            continue  # what could not be checked is no fault
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
