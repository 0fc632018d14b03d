"""Blocks in files of the user's, which a model YAML names under `blocks:`."""

from __future__ import annotations

from collections.abc import Callable

from ultralytics.nn import tasks

from ..catalog.files import clean_path, load_all
from ..undo import Undo, imported, replace, together


def own_blocks() -> Undo | None:
    """Import and register the blocks that a model YAML names, when Ultralytics opens the file."""

    def make(load: Callable) -> Callable:
        def load_with_blocks(*args, **kwargs):
            model = load(*args, **kwargs)
            if isinstance(model, dict):
                load_all(model, model.get("yaml_file", ""))
            return model

        return load_with_blocks

    owner = imported("ultralytics.engine.model", "Model")
    if owner is None:
        return None
    return together(clean_path, *(replace(module, "yaml_model_load", make) for module in (tasks, owner)))
