"""Find everything that is wrong or suspicious in a model YAML, and tell it together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...plugin.probe import probe
from ..base import find_base
from ..blocks import passes_on
from ..fault import Fault
from ..files import find_model
from ..form import SCALING, check_activation, check_blocks, check_classes, check_forms, check_scales, check_sources
from ..graph import rows_of
from ..reading import read_model
from .file import check_name
from .rows import check_builds
from .wiring import check_concats, check_heads, check_unmoved, check_unread


def lint(name: str | Path) -> list[Fault]:
    """All faults of a model YAML, in the order of its rows; an empty list for a clean one.

    Args:
        name: a path, or a name that Ultralytics or this package ships, with or without the letter of a scale.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no YAML, or has no `backbone` and `head`.
    """
    path, _ = find_model(name)
    model = read_model(path)
    written = Path(str(name)) if Path(str(name)).is_file() else Path(path.name)
    return sorted([*check_name(written, model), *lint_model(model)])


def lint_model(model: dict[str, Any]) -> list[Fault]:
    """All faults of a model dictionary with `backbone` and `head`; as `lint`, without those of the file's name."""
    checks = (check_activation, check_blocks, check_classes, check_scales, check_forms)
    faults = [fault for check in checks for fault in check(model)]
    if any(fault.row is not None for fault in faults):
        return sorted(faults)  # nothing below can be asked of rows that have no form
    rows = rows_of(model)
    dangling = check_sources(rows)
    # Scales that cannot be read are told above; rows are then looked at as if there were none.
    broken = bool(check_scales(model))
    scales = [""] if broken else list(model.get("scales") or [""])
    plain = {k: v for k, v in model.items() if k not in SCALING} if broken else model
    built = {scale: probe(plain, scale, assume=passes_on) for scale in scales}
    first = built[scales[0]]
    base = None if dangling else find_base(model)
    moved = check_unmoved(rows, base) if base else []
    blamed = {(fault.row, fault.source) for fault in moved}
    wiring: Iterable[Fault] = [*check_concats(rows, first), *check_heads(rows, first)]
    faults += dangling + moved + [f for f in wiring if (f.row, f.source) not in blamed]
    if not moved and not dangling:
        faults += check_unread(rows, first)
    told = {fault.row for fault in faults}
    faults += [fault for fault in check_builds(rows, built) if fault.row not in told]
    return sorted(faults)
