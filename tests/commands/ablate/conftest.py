"""An ablation of two tiny models that trains nothing: every run ends at once, with a result that is written down."""

from __future__ import annotations

import pytest

from tests.commands.ablate.ablations import finish, inputs
from tests.commands.verbs import call
from yolo_cot.commands import ablate
from yolo_cot.commands.ablate.plan import load
from yolo_cot.commands.ablate.report import write_report
from yolo_cot.commands.ablate.results import Results


class Ablation:
    """The folder of the inputs, and `run`, which is the command."""

    def __init__(self, folder):
        self.folder, self.project, self.made = folder, folder / "p", []
        self.words = {**inputs(folder), "project": self.project, "seeds": 2, "controls": False}

    def run(self, **more):
        call(ablate, **{**self.words, **more})

    def work(self, runs, devices, progress):
        for run in runs:
            if not run.finished:
                self.made.append(run.name)
                finish(run, 0.5 + run.seed / 100 + len(run.label) / 1000)
                progress.ended(run)

    def report(self):
        """Write the report, and return its text."""
        write_report(Results(load(self.project)), {})
        return (self.project / "report.md").read_text()

    def files(self):
        """What stands in the project's folder."""
        return {p: p.read_bytes() for p in self.project.rglob("*") if p.is_file() and p.name != "lock"}


@pytest.fixture
def ablation(tmp_path, monkeypatch):
    made = Ablation(tmp_path)
    monkeypatch.setattr(ablate.queue, "work", made.work)
    monkeypatch.setattr(ablate, "report", lambda *_: None)  # it takes seconds; `report` writes it where it matters
    return made
