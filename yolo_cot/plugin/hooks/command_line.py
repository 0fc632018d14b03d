"""Trainings that Ultralytics starts as commands."""

from __future__ import annotations

import subprocess
from typing import Any

from ..child_import import child_import
from ..undo import Undo, imported

_COMMAND_LINE = "ultralytics.cfg.__init__"


class _Subprocess:
    """The module `subprocess` with another `run`: Ultralytics' own command line knows the blocks."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    @staticmethod
    def run(command: Any, *args: Any, **kwargs: Any) -> subprocess.CompletedProcess:
        """Run a command as `subprocess.run` does."""
        if isinstance(command, list) and command[1:3] == ["-m", _COMMAND_LINE]:
            start = f"{child_import()}; from ultralytics.cfg import entrypoint; entrypoint()"
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
            if getattr(module, "subprocess", None) is ours:
                setattr(module, "subprocess", subprocess)  # noqa: B010

    return undo
