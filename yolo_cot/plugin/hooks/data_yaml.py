"""Where Ultralytics looks for data YAMLs: ours are found by name alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...paths import data_dir
from ..undo import Undo, imported, replace


def data_lookup() -> Undo | None:
    """Let our data YAMLs be named without a path."""

    def make(check_file: Callable) -> Callable:
        def find(file, *args, **kwargs):
            path = Path(str(file))
            ours = data_dir() / path.name
            if path.parent == Path() and path.suffix in {".yaml", ".yml"} and not path.exists() and ours.is_file():
                return str(ours)
            return check_file(file, *args, **kwargs)

        return find

    owner = imported("ultralytics.data.utils", "check_file")
    return replace(owner, "check_file", make) if owner else None
