"""The processes of multi-GPU training."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..child_import import child_import
from ..undo import Undo, imported, replace


def ddp_children() -> Undo | None:
    """Let the processes of multi-GPU training import this package before they build the model.

    They run a script that Ultralytics writes; the import goes in front of its first import of Ultralytics, whether the
    script holds the trainer's arguments itself or reads them from a pickle beside it.
    """

    def make(generate: Callable) -> Callable:
        def generate_with_import(trainer):
            name = generate(trainer)
            file = Path(name)
            text = file.read_text(encoding="utf-8")
            first = re.search(r"^([ \t]*)from ultralytics", text, re.M)
            if not first:
                raise RuntimeError(f"yolo_cot could not add its import to the script of multi-GPU training: {name}.")
            before, after = text[: first.start()], text[first.start() :]
            file.write_text(f"{before}{first[1]}{child_import()}\n{after}", encoding="utf-8")
            return name

        return generate_with_import

    owner = imported("ultralytics.utils.dist", "generate_ddp_file")
    return replace(owner, "generate_ddp_file", make) if owner else None
