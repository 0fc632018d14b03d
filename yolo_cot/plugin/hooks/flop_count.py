"""Counting the operations of a model."""

from __future__ import annotations

from ..catalog import own_classes
from ..undo import Undo


def flops() -> Undo:
    """Tell Ultralytics' FLOP counter what our operations compute; without it they count as 0."""
    try:
        from thop.profile import register_hooks
    except ImportError:  # Ultralytics works without it, and then reports no FLOPs at all
        return lambda: None

    def count(module, inputs, output):
        module.total_ops += module.macs(inputs, output)

    counted = [cls for cls in own_classes() if hasattr(cls, "macs")]
    register_hooks.update(dict.fromkeys(counted, count))

    def undo() -> None:
        for cls in counted:
            if register_hooks.get(cls) is count:
                del register_hooks[cls]

    return undo
