"""Where Ultralytics looks for model YAMLs: ours are found by name alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ultralytics.nn import tasks

from ...paths import config_dir
from ..naming import unscaled
from ..undo import Undo, replace


def config_lookup() -> Undo:
    """Let model YAMLs be named without a path, and survive paths that hold a digit before one of n s m l x."""

    def make(check_yaml: Callable) -> Callable:
        def find(file, *args, **kwargs):
            path = Path(str(file))
            if not path.exists():
                plain = unscaled(path)
                for candidate in (plain, config_dir() / path.name, config_dir() / plain.name):
                    if candidate.is_file() and (path.parent == Path() or candidate == plain):
                        return str(candidate)
            return check_yaml(file, *args, **kwargs)

        return find

    return replace(tasks, "check_yaml", make)
