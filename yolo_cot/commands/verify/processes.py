"""Run a format in a process of its own, so that a crash of one is one row and not the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ...plugin.catalog.child_environment import environment
from ...whole_file import read_json, write_json

COMMAND = (sys.executable, "-m", "yolo_cot.commands.verify.worker")


def found_by(job: dict[str, Any], folder: Path, timeout: int) -> dict[str, Any]:
    """What the process of a format has found; if it died, what was known before, and how it died.

    Args:
        job: what it is told.
        folder: its own folder; what it prints is in `log.txt` there.
        timeout: seconds that it may take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "found.json").unlink(missing_ok=True)
    write_json(folder / "job.json", job)
    log = folder / "log.txt"
    # Nothing is installed behind the user's back: a converter that is not there is a row of the table.
    surroundings = {**environment(), "YOLO_AUTOINSTALL": "false"}
    with log.open("wb") as stream:
        try:
            status = subprocess.run(
                [*COMMAND, str(folder / "job.json")],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=surroundings,
                timeout=timeout,
            ).returncode
            end = f"ended with {_named(status)}"
        except subprocess.TimeoutExpired:
            status, end = 1, f"took more than {timeout} s"
    found = read_json(folder / "found.json") if (folder / "found.json").is_file() else {}
    if status or not found.get("done"):
        step = str(found.get("step", "starting")).capitalize()
        found["failed"] = f"{step}: the process {end}; what it printed is in {log}."
    return found


def _named(status: int) -> str:
    """An exit status in words."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
