"""What a model is exported to, told to the operations that have a form of their own for it."""

from __future__ import annotations

from collections.abc import Callable

from ...ops.route import recorded_for
from ..undo import Undo, imported, replace


def export_format() -> Undo | None:
    """Let `Model.export` say its format; what it traces for ONNX tells itself. None while `Model` is being imported."""

    def make(export: Callable) -> Callable:
        def export_told(self, **kwargs):
            with recorded_for(str(kwargs.get("format", "")).lower()):
                return export(self, **kwargs)

        return export_told

    owner = imported("ultralytics.engine.model", "Model")
    return replace(owner.Model, "export", make) if owner else None
