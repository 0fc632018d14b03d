"""Where Ultralytics looks for model YAMLs: ours are found by name alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ultralytics.nn import tasks

from ...paths import config_dir
from ..undo import Undo, replace


def config_lookup() -> Undo:
    """Let model YAMLs be named without a path, and survive paths that hold a digit before one of n s m l x."""

    def make(check_yaml: Callable) -> Callable:
        def find(file, *args, **kwargs):
            path = Path(str(file))
            if not path.exists():
                # Ultralytics takes the scale's letter out of the whole path; only the name should lose it.
                unscaled = path.with_name(re.sub(r"(\d+)[nslmx](?=\D|$)", r"\1", path.name, count=1))
                for candidate in (unscaled, config_dir() / path.name, config_dir() / unscaled.name):
                    if candidate.is_file() and (path.parent == Path() or candidate == unscaled):
                        return str(candidate)
            return check_yaml(file, *args, **kwargs)

        return find

    return replace(tasks, "check_yaml", make)
