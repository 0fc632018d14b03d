"""Make the runs of an ablation on this machine, each in a process of its own, one at a time on every device."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ....plugin.catalog.child_environment import environment
from ....whole_file import write_json
from ..plan import Run
from .progress import Progress

COMMAND = (sys.executable, "-m", "yolo_cot.commands.ablate.runs.train")


def start(job: dict[str, Any], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a run afresh; it ends by itself when this process does, for its standard input closes then.

    Args:
        job: what the run is told, see `Run.job`.
        folder: its folder, which is emptied first.
        log: the file for what it prints.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    write_json(folder / "run.json", job)
    with log.open("wb") as stream:
        return subprocess.Popen(
            [*COMMAND, str(folder / "run.json")],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment(),
        )


def work(runs: Sequence[Run], devices: Sequence[str], progress: Progress) -> None:
    """Make the runs that are not finished, in order; one that fails is told, and the others go on.

    Args:
        runs: the runs.
        devices: one run is made at a time on each; "cpu" may be named more than once.
        progress: is told what happens.
    """
    waiting = [run for run in runs if not run.finished]
    busy: dict[int, tuple[Run, subprocess.Popen[bytes]]] = {}
    try:
        while waiting or busy:
            for slot, device in enumerate(devices):
                if slot in busy:
                    run, process = busy[slot]
                    if process.poll() is None:
                        continue
                    busy.pop(slot)[1].communicate()
                    progress.ended(run)
                if waiting:
                    run = waiting.pop(0)
                    busy[slot] = (run, start(run.job(device), run.folder, run.log))
                    progress.started(run, device)
            progress.show()
            time.sleep(0.2)
    finally:
        for _, process in busy.values():
            process.kill()
            process.communicate()
