"""Processes that Ultralytics starts: the children of multi-GPU training and of tuning import this package first."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...paths import PACKAGE_ROOT
from ..undo import Undo, imported, replace

# The package may be a checkout that only the parent's sys.path knows; it goes last, so it shadows nothing.
_IMPORT = f"import sys; sys.path.append({str(PACKAGE_ROOT)!r}); import yolo_cot"
_COMMAND_LINE = "ultralytics.cfg.__init__"


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
            file.write_text(f"{text[: first.start()]}{first[1]}{_IMPORT}\n{text[first.start() :]}", encoding="utf-8")
            return name

        return generate_with_import

    owner = imported("ultralytics.utils.dist", "generate_ddp_file")
    return replace(owner, "generate_ddp_file", make) if owner else None


class _Subprocess:
    """The module `subprocess` with another `run`: Ultralytics' own command line knows the blocks."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    @staticmethod
    def run(command: Any, *args: Any, **kwargs: Any) -> subprocess.CompletedProcess:
        """Run a command as `subprocess.run` does."""
        if isinstance(command, list) and command[1:3] == ["-m", _COMMAND_LINE]:
            start = f"{_IMPORT}; from ultralytics.cfg import entrypoint; entrypoint()"
            command = [command[0], "-c", start, *command[3:]]
        return subprocess.run(command, *args, **kwargs)


def command_children() -> Undo | None:
    """Let trainings that are started as commands, `python -m ultralytics.cfg.__init__ train ...`, know the blocks.

    Tuning does so in some releases, and training on several data sets. Only the tuner's and the trainer's view of
    `subprocess` changes, nobody else's.
    """
    modules = [imported("ultralytics.engine.trainer", "BaseTrainer"), imported("ultralytics.engine.tuner", "Tuner")]
    if None in modules:
        return None
    owners = [module for module in modules if getattr(module, "subprocess", None) is subprocess]
    ours = _Subprocess()
    for module in owners:
        setattr(module, "subprocess", ours)  # noqa: B010  (a plain assignment would need an ignore for every release)

    def undo() -> None:
        for module in owners:
            setattr(module, "subprocess", subprocess)  # noqa: B010

    return undo
