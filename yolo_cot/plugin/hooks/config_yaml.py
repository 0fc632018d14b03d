"""Where Ultralytics looks for model YAMLs: ours are found by name, or made; a wrong name gets the nearest right one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ultralytics.nn import tasks

from ...paths import config_dir
from .. import made_models
from ..naming import unscaled
from ..stock import stock_files
from ..undo import Undo, imported, replace, together


def config_lookup() -> Undo:
    """Let model YAMLs be named without a path, and survive paths that hold a digit before one of n s m l x."""

    def make(check_yaml: Callable) -> Callable:
        def find(file, *args, **kwargs):
            path = Path(str(file))
            if path.exists():
                return check_yaml(file, *args, **kwargs)
            plain, bare = unscaled(path), path.parent == Path()
            for candidate in (plain, config_dir() / path.name, config_dir() / plain.name):
                if candidate.is_file() and (bare or candidate == plain):
                    return str(candidate)
            stock = {stock.name for stock in stock_files()}
            if bare and stock.isdisjoint({path.name, plain.name}) and (made := made_models.find(path.name)):
                return str(made)
            return check_yaml(file, *args, **kwargs)

        return find

    return replace(tasks, "check_yaml", make)


def wrong_names() -> Undo | None:
    """Name the nearest right one where a model is not there and its name looks like one of ours."""

    def make(load: Callable) -> Callable:
        def load_or_tell(*args, **kwargs):
            try:
                return load(*args, **kwargs)
            except FileNotFoundError as error:
                name = next((str(a) for a in (*args, *kwargs.values()) if isinstance(a, (str, Path))), "")
                if Path(name).parent != Path() or not (hint := made_models.hint(name)):
                    raise
                raise FileNotFoundError(f"no model {name!r}: {error}. {hint}") from error

        return load_or_tell

    owner = imported("ultralytics.engine.model", "Model")
    if owner is None:
        return None
    return together(
        replace(tasks, "yaml_model_load", make),
        replace(owner, "yaml_model_load", make),
        replace(owner.Model, "_load", make),
    )
