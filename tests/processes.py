"""Other Python processes, as the tests start them: one thread, no network, settings of their own, stock commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

# The command line of the plain `yolo`, and ours, without asking where their scripts were installed. Ultralytics tells
# by the first word whether a command predicts; only then it saves the pictures.
YOLO = "import sys; sys.argv[0] = 'yolo'; from ultralytics.cfg import entrypoint; entrypoint()"
YOLO_COT = "from yolo_cot.cli import main; main()"


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: this one's, on one thread, with the package importable."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "PYTHONWARNINGS": "default", **more}


def python(
    code: str, *words: Any, cwd: Path | None = None, status: int | None = 0, timeout: float = 300, **more: str
) -> subprocess.CompletedProcess:
    """Run code in a new Python and return what it printed.

    Args:
        code: the program.
        words: its arguments.
        cwd: the folder it runs in.
        status: the exit status that it must have; None allows any.
        timeout: seconds until it counts as hanging.
        more: variables of its environment.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert status is None or done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
