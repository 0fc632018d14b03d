"""One format, in a process of its own: `python -m yolo_cot.commands.verify.worker FOLDER/job.json`.

What is found is written after every step, so that a crash leaves what was known before it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

import yolo_cot

from ...plugin.naming import opened_export
from ...whole_file import read_json, write_json
from ..curve import METRICS
from ..runtimes.compare import largest_error
from ..runtimes.export import export_into, megabytes
from ..runtimes.formats import runs_here
from ..runtimes.load import Runner, load
from ..timing import ratio, samples
from .subject import reference_outputs


class Work:
    """The steps of one format.

    Args:
        job: what is to be done.
        folder: where; `found.json` in it has what was found.
    """

    def __init__(self, job: dict[str, Any], folder: Path):
        self.job, self.folder = job, folder
        self.found: dict[str, Any] = {}

    def note(self, **found: Any) -> None:
        """Keep what was found."""
        self.found.update(found)
        write_json(self.folder / "found.json", self.found)

    def export(self, weights: str, folder: Path) -> Path:
        """Export a checkpoint in the format, precision and size that are asked for."""
        keys = ("imgsz", "precision", "data", "dynamic")
        settings = {key: self.job[key] for key in keys if self.job[key]}
        return export_into(folder, Path(weights), self.job["format"], **settings)

    def error(self, run: Runner, reference: Path) -> float:
        """The largest error over all pictures."""
        pictures, wanted = reference_outputs(reference)
        about = self.job["classes"], self.job["unordered"]
        return max(largest_error(run(picture[None]), want, *about) for picture, want in zip(pictures, wanted))

    def do(self) -> None:
        """Do all steps; the first that fails ends it."""
        name, plain = self.job["format"], self.job["plain"]
        if self.job["only_plain"]:
            self.attempt("converting", lambda: self.export(plain, self.folder / "plain"))
            return
        file = self.attempt("converting", lambda: self.export(self.job["weights"], self.folder))
        if file is None:
            if plain:
                self.note(plain_fails=self.fails(lambda: self.export(plain, self.folder / "plain")))
            return
        self.note(megabytes=megabytes(file), file=str(file))
        if reason := runs_here(name):
            self.note(note=reason[0].upper() + reason[1:])
            return
        open_file = partial(load, name, threads=self.job["threads"], precision=self.job["precision"])
        run = self.attempt("loading", lambda: open_file(file))
        if run is None:
            return
        error = self.attempt("running", lambda: self.error(run, Path(self.job["reference"])))
        if error is None:
            return
        self.note(error=error)
        if plain:
            self.compare_with_plain(run, open_file)
        if self.job["validate"]:
            self.attempt("validating", lambda: self.note(map=accuracy(file, self.job)))

    def compare_with_plain(self, run: Runner, open_file: Callable[[Path], Runner]) -> None:
        """Time both, picture by picture in turn, and see how exact the plain model is; without it there is a note."""
        try:
            plain = open_file(self.export(self.job["plain"], self.folder / "plain"))
            self.note(error_plain=self.error(plain, Path(self.job["plain_reference"])))
        except Exception as failure:  # whatever a converter raises
            self.note(note=f"The plain model has no file to compare with: {sentence(failure)}")
            return
        picture = reference_outputs(Path(self.job["reference"]))[0][:1]
        runs = {"model": partial(run, picture), "plain": partial(plain, picture)}
        times = samples(runs, self.job["rounds"])
        value, low, high = ratio(times["model"], times["plain"])
        middle = sorted(times["model"])[len(times["model"]) // 2]
        self.note(ratio=value, ratio_low=low, ratio_high=high, milliseconds=1e3 * middle)

    def attempt(self, step: str, function: Callable[[], Any]) -> Any:
        """What a step gives; None, and a note, if it fails."""
        self.note(step=step)
        try:
            return function()
        except Exception as failure:  # whatever a converter or a runtime raises
            self.note(failed=f"{step.capitalize()} failed: {sentence(failure)}")
            return None

    def fails(self, function: Callable[[], Any]) -> bool:
        """Whether something raises."""
        try:
            function()
        except Exception:
            return True
        return False


def sentence(failure: BaseException) -> str:
    """The first line of an error that says something, not too long."""
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    return f"{type(failure).__name__}: {lines[0][:200] if lines else ''}".rstrip(": ").rstrip(".") + "."


def accuracy(file: Path, job: dict[str, Any]) -> float:
    """The metric of the task, as Ultralytics validates a file."""
    model = opened_export(file, job["task"], job["weights"])
    place = {"project": str(Path(job["weights"]).parent), "name": f"val-{job['format']}", "exist_ok": True}
    settings = {"data": job["validate"], "imgsz": job["imgsz"], "batch": 1, "workers": 0, "plots": False}
    device = 0 if file.suffix == ".engine" else "cpu"
    metrics = model.val(**settings, **place, rect=False, verbose=False, device=device)
    return float(metrics.results_dict[METRICS[job["task"]][0]])


if __name__ == "__main__":
    yolo_cot.install()
    told = Path(sys.argv[1])
    work = Work(read_json(told), told.parent)
    torch.set_num_threads(work.job["threads"])
    work.do()
    # A converter may end the process by itself, and well.
    work.note(done=True)
