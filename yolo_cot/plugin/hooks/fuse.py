"""What Ultralytics does with a finished model: fold it."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from ultralytics.nn import tasks

from ...nn.gate import GatedBlock
from ..undo import Undo, replace


def patch_fuse() -> Undo:
    """Fold our blocks after Ultralytics has folded batch norm, and print the summary of the result."""

    def make(fuse: Callable) -> Callable:
        signature = inspect.signature(fuse)

        def fuse_all(self, *args, **kwargs):
            blocks = [m for m in self.modules() if isinstance(m, GatedBlock)]
            if not blocks:
                return fuse(self, *args, **kwargs)
            call = signature.bind(self, *args, **kwargs)
            call.apply_defaults()
            wanted, was_fused = call.arguments["verbose"], self.is_fused()
            call.arguments["verbose"] = False
            fuse(*call.args, **call.kwargs)
            for block in blocks:
                block.fuse()
            if wanted and not was_fused:
                self.info(verbose=True, **{k: v for k, v in call.arguments.items() if k == "imgsz"})
            return self

        return fuse_all

    return replace(tasks.BaseModel, "fuse", make)
