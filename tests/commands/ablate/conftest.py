"""An ablation of two tiny models that trains nothing: every run ends at once, with a result that is written down."""

from __future__ import annotations

import pytest

from tests.commands.ablate.ablations import finish, inputs
from yolo_cot.commands import ablate


class Ablation:
    """The folder of the inputs, and `run`, which is the command."""

    def __init__(self, folder):
        self.folder, self.project, self.made = folder, folder / "p", []
        words = dict(word.split("=", 1) for word in inputs(folder))
        self.words = {"models": words["models"], "data": words["data"], "epochs": 1, "imgsz": 64, "batch": 4}

    def run(self, **more):
        ablate.main({**self.words, "workers": 0, "project": str(self.project), "seeds": 2, "controls": False, **more})

    def work(self, runs, devices, progress):
        for run in runs:
            if not run.finished:
                self.made.append(run.name)
                finish(run, 0.5 + run.seed / 100 + len(run.label) / 1000)
                progress.ended(run)

    def files(self):
        """What stands in the project's folder."""
        return {p: p.read_bytes() for p in self.project.rglob("*") if p.is_file() and p.name != "lock"}


@pytest.fixture
def ablation(tmp_path, monkeypatch):
    made = Ablation(tmp_path)
    monkeypatch.setattr(ablate.ablate_queue, "work", made.work)
    monkeypatch.setattr(ablate, "times", lambda *_: {})
    return made
