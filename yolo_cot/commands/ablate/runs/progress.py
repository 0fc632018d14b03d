"""One line that says which runs of an ablation are being made, what is left and how long that takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from rich.console import Console
from rich.status import Status

from ...output import duration
from ..plan import Run


class Progress:
    """The line: rewritten in place on a terminal, else written anew whenever a run starts or ends.

    Args:
        runs: all runs, finished ones too.
        epochs: of each run.
        at_once: how many are made at the same time.
    """

    def __init__(self, runs: Sequence[Run], epochs: int, at_once: int = 1) -> None:
        self.runs, self.epochs, self.at_once = runs, epochs, max(at_once, 1)
        self.console = Console()
        self.status = Status("", console=self.console) if self.console.is_terminal else None
        self.seconds = [result["seconds"] for run in runs if (result := run.result())]
        self.done = len(self.seconds)
        self.busy: dict[str, tuple[Run, float]] = {}
        self.failed: list[Run] = []

    def __enter__(self) -> Progress:
        if self.status:
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()

    def started(self, run: Run, device: str = "") -> None:
        """A run was started."""
        self.busy[run.name] = (run, time.monotonic())
        self.tell(f"{run.label} seed {run.seed} started{f' on {device}' if device else ''}")

    def ended(self, run: Run) -> None:
        """A run has ended, well if its result is there."""
        self.busy.pop(run.name, None)
        result = run.result()
        if result is None:
            self.failed.append(run)
        else:
            self.done += 1
            self.seconds.append(result["seconds"])
        self.tell(f"{run.label} seed {run.seed} {'failed' if result is None else 'finished'}")

    def tell(self, event: str) -> None:
        """Say what happened; on a terminal the line itself shows it, but for what failed."""
        if not self.status:
            self.console.print(f"{time.strftime('%H:%M:%S')} {event}; {self.left()}", highlight=False, soft_wrap=True)
        elif event.endswith("failed"):
            self.console.print(event, highlight=False)

    def left(self) -> str:
        """What is left, in words."""
        left = len(self.runs) - self.done - len(self.failed)
        text = f"{self.done} of {len(self.runs)} runs finished"
        if self.failed:
            text += f", {len(self.failed)} failed"
        if left:
            text += f", {left} left"
            if self.seconds:
                spent = sum(time.monotonic() - start for _, start in self.busy.values())
                text += f", about {duration(max(statistics.fmean(self.seconds) * left - spent, 0) / self.at_once)}"
        return text

    def show(self) -> None:
        """Rewrite the line."""
        if self.status:
            running = ", ".join(f"{run.label} seed {run.seed}{self.epoch(run)}" for run, _ in self.busy.values())
            self.status.update(f"{running or 'at work'}; {self.left()}")

    def epoch(self, run: Run) -> str:
        """How far a run is, by the table that Ultralytics writes."""
        table = run.folder / "results.csv"
        if not table.is_file():
            return ""
        ended = max(len(table.read_text(encoding="utf-8").splitlines()) - 1, 0)
        return f" (epoch {min(ended + 1, self.epochs)} of {self.epochs})"
