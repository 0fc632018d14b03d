"""The task of a model that ends in a head of ours."""

from __future__ import annotations

from collections.abc import Callable

from ultralytics.nn import tasks

from ..catalog import find
from ..undo import Undo, imported, replace, together


def task_of_heads() -> Undo | None:
    """Answer with the task of the stock head that ours counts as."""

    def make(guess_model_task: Callable) -> Callable:
        def guess(model):
            config = model if isinstance(model, dict) else getattr(model, "yaml", None)
            last = (config.get("head") or config.get("backbone") or [None])[-1] if isinstance(config, dict) else None
            block = find(str(last[2])) if isinstance(last, (list, tuple)) and len(last) == 4 else None
            if block is None or block.counts_as is None:
                return guess_model_task(model)
            return guess_model_task({"head": [[-1, 1, block.counts_as.__name__, []]]})

        return guess

    owner = imported("ultralytics.engine.model", "guess_model_task")
    if owner is None:
        return None
    return together(*(replace(module, "guess_model_task", make) for module in (owner, tasks)))
