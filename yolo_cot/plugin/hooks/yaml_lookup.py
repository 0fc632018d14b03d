"""Where Ultralytics looks for YAML files: ours are found by name alone; and for which task it takes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ultralytics.nn import tasks

from ...paths import config_dir, data_dir
from ..catalog import BLOCKS
from ..undo import Undo, imported, replace


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


def task_of_heads() -> Undo | None:
    """Tell the task of a model that ends in a head of ours: that of the stock head that it counts as."""

    def make(guess_model_task: Callable) -> Callable:
        def guess(model):
            config = model if isinstance(model, dict) else getattr(model, "yaml", None)
            last = (config.get("head") or config.get("backbone") or [None])[-1] if isinstance(config, dict) else None
            block = BLOCKS.get(str(last[2])) if isinstance(last, (list, tuple)) and len(last) == 4 else None
            if block is None or block.counts_as is None:
                return guess_model_task(model)
            return guess_model_task({"head": [[-1, 1, block.counts_as.__name__, []]]})

        return guess

    owner = imported("ultralytics.engine.model", "guess_model_task")
    if owner is None:
        return None
    undos = [replace(owner, "guess_model_task", make), replace(tasks, "guess_model_task", make)]

    def undo() -> None:
        for one in undos:
            one()

    return undo
