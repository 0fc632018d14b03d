"""Commands as the tests run them: in this process, or in another Python with one thread, no network, stock commands."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ultralytics.utils import LOGGER

from tests.conftest import ROOT
from yolo_cot import cli

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


def here(*words: Any, cwd: Path | None = None, status: int = 0) -> SimpleNamespace:
    """Run `yolo-cot` in this process, which saves a new Python's import of torch; returns its stdout and stderr.

    What shows how a process starts or ends needs `python`.

    Args:
        words: the command's.
        cwd: the folder it runs in.
        status: the exit status that it must have.
    """
    out, err, before, argv = io.StringIO(), io.StringIO(), Path.cwd(), sys.argv[:]
    streams = {handler: handler.stream for handler in LOGGER.handlers if hasattr(handler, "setStream")}
    ended: int | str | None = 0
    os.chdir(cwd or before)
    # In place, for Ultralytics keeps the list itself to know what was called.
    sys.argv[:] = ["yolo-cot", *map(str, words)]
    try:
        for handler in streams:
            handler.setStream(out)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        ended = end.code
    except Exception:
        ended = traceback.format_exc()
    finally:
        os.chdir(before)
        sys.argv[:] = argv
        for handler, stream in streams.items():
            handler.setStream(stream)
    if isinstance(ended, str):
        err.write(f"{ended}\n")
        ended = 1
    done = SimpleNamespace(stdout=out.getvalue(), stderr=err.getvalue())
    assert (ended or 0) == status, f"status {ended}\n{done.stdout}\n{done.stderr}"
    return done
