"""Counting the operations of a model."""

from __future__ import annotations

from torch import nn

from ..catalog import own_classes
from ..catalog.table import listeners
from ..undo import Undo


def flops() -> Undo:
    """Tell Ultralytics' FLOP counter what our operations compute; without it they count as 0."""
    try:
        from thop.profile import register_hooks
    except ImportError:  # Ultralytics works without it, and then reports no FLOPs at all
        return lambda: None

    def count(module, inputs, output):
        module.total_ops += module.macs(inputs, output)

    def admit(*classes: type[nn.Module]) -> None:
        register_hooks.update({cls: count for cls in classes if hasattr(cls, "macs")})

    admit(*own_classes())
    listeners.append(admit)

    def undo() -> None:
        listeners.remove(admit)
        for cls in [cls for cls, rule in register_hooks.items() if rule is count]:
            del register_hooks[cls]

    return undo
