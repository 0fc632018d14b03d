"""What a training with gates tells: a warning where its steps cannot open them, and their values epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable

from ..gates.budget import warn
from ..gates.curves import plot, write_row
from ..undo import Undo, imported, replace

CALLBACKS = (("on_train_start", warn), ("on_train_epoch_end", write_row), ("on_train_end", plot))


def gate_log() -> Undo | None:
    """Give every trainer these callbacks, where Ultralytics gives it those of its integrations.

    It does so in the process that writes the results alone, also under multi-GPU training.
    """

    def make(add: Callable) -> Callable:
        def add_with_gates(instance):
            from ultralytics.engine.trainer import BaseTrainer

            add(instance)
            if isinstance(instance, BaseTrainer):
                for event, callback in CALLBACKS:
                    if callback not in instance.callbacks[event]:
                        instance.callbacks[event].append(callback)

        return add_with_gates

    owner = imported("ultralytics.utils.callbacks", "add_integration_callbacks")
    return replace(owner, "add_integration_callbacks", make) if owner else None
