"""Training writes its gates: a row an epoch, a plot at the end, and nothing for models without gates."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import pytest
import torch
from ultralytics import YOLO
from ultralytics.utils import callbacks

import yolo_cot
from tests.entry_points import tiny, two_ranks
from tests.processes import python
from yolo_cot.nn import CoTAttention
from yolo_cot.plugin import gates
from yolo_cot.plugin.gates import curves as gate_curves
from yolo_cot.plugin.hooks import gate_optimizer

EPOCHS = 2
# A process that trains until it kills itself in the second epoch, or goes on.
RUN = """
import os, signal, sys
import yolo_cot
from ultralytics import YOLO
model, data, runs = sys.argv[1:]
yolo = YOLO(model)
if model.endswith("last.pt"):
    yolo.train(resume=True)
else:
    yolo.add_callback("on_fit_epoch_end", lambda t: t.epoch == 1 and os.kill(os.getpid(), signal.SIGKILL))
    yolo.train(data=data, epochs=3, imgsz=64, batch=4, device="cpu", workers=0, amp=False, plots=False, seed=3,
               project=runs, name="t", exist_ok=True, optimizer="AdamW", lr0=0.001, gate_lr=20,
               nbs=4)
"""


def table(file):
    with file.open() as lines:
        return list(csv.DictReader(lines, skipinitialspace=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with plots: its folder, and the gates of the checkpoint that was saved last."""
    folder = tmp_path_factory.mktemp("gates")
    model = YOLO(tiny.model(folder).with_name("yolo11n-tiny.yaml"))
    saved = []
    model.add_callback("on_model_save", lambda trainer: saved.append(gates.gate_means(trainer.ema.ema)))
    model.train(
        data=tiny.data(folder / "d"), epochs=EPOCHS, imgsz=64, batch=4, device="cpu", workers=0, amp=False,
        optimizer="AdamW", lr0=0.01,
        project=folder / "runs", name="t", plots=True, warmup_epochs=0, nbs=4,
    )  # fmt: skip
    return folder / "runs" / "t", saved


def test_every_epoch_has_the_gates_that_were_saved(trained):
    folder, saved = trained
    rows = table(folder / "gates.csv")
    assert [row.pop("epoch") for row in rows] == ["1", "2"]
    assert set(rows[0]) == {f"{n}/{k}" for n in ("4.OutlookAttention", "5.CoTAttention") for k in ("abs", "mean")}
    assert len(saved) == EPOCHS
    for row, means in zip(rows, saved):
        assert {k: float(v) for k, v in row.items()} == pytest.approx(means, rel=1e-4)
    assert float(rows[-1]["5.CoTAttention/abs"]) > 0  # gates start at 0, so the run has moved them


def test_the_plot_lies_beside_those_of_ultralytics(trained):
    import cv2

    folder, _ = trained
    assert (folder / "results.png").is_file()
    assert cv2.imread(str(folder / "gates.png")).std() > 5


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_in_the_same_file(tmp_path):
    words = [tiny.model(tmp_path).with_name("yolo11n-tiny.yaml"), tiny.data(tmp_path / "d"), tmp_path / "runs"]
    python(RUN, *words, status=-9)
    folder = tmp_path / "runs" / "t"
    before = table(folder / "gates.csv")
    assert [row["epoch"] for row in before] == ["1", "2"]
    python(RUN, folder / "weights" / "last.pt", *words[1:])
    after = table(folder / "gates.csv")
    assert [row["epoch"] for row in after] == ["1", "2", "3"]
    assert after[0] == before[0]
    rates = [float(row["lr/pg3"]) for row in table(folder / "results.csv")]
    assert rates == pytest.approx([0.02 * (1 - e / 3 * 0.99) for e in range(3)], rel=1e-4)  # as without interruption
    assert not (folder / "gates.png").exists()  # plots=False


def test_a_model_without_gates_writes_nothing(tmp_path):
    folder = tmp_path / "runs" / "t"
    folder.mkdir(parents=True)
    (folder / "gates.csv").write_text("somebody's own\n")
    text = tiny.MODEL.replace("{gate: 0.0}", "{}").replace("{num_heads: 2, gate: 0.0}", "2")
    (tmp_path / "yolo11-plain.yaml").write_text(text)
    YOLO(tmp_path / "yolo11n-plain.yaml").train(
        data=tiny.data(tmp_path / "d", 4), epochs=1, imgsz=32, batch=4, device="cpu", workers=0, amp=False,
        project=tmp_path / "runs", name="t", exist_ok=True, plots=True, val=False,
    )  # fmt: skip
    assert (folder / "results.png").is_file()
    assert (folder / "gates.csv").read_text() == "somebody's own\n"
    assert not (folder / "gates.png").exists()


@pytest.mark.slow
def test_of_two_ranks_one_writes(tmp_path):
    model = tiny.model(tmp_path).with_name("yolo11n-tiny.yaml")
    done = two_ranks.train(tmp_path, str(model))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = table(tmp_path / "runs" / "t" / "gates.csv")
    assert [row["epoch"] for row in rows] == ["1"]
    assert "5.CoTAttention/abs" in rows[0]
    written = table(tmp_path / "runs" / "t" / "results.csv")[0]
    assert float(written["lr/pg3"]) == pytest.approx(gate_optimizer.DEFAULT * 0.001667, rel=1e-3)


class Trainer(SimpleNamespace):
    """As much of a trainer as a row needs."""

    def __init__(self, folder, epoch, gate):
        block = CoTAttention(8, gate=0.0)
        block.gamma.data.fill_(gate)
        super().__init__(save_dir=folder, epoch=epoch, ema=SimpleNamespace(ema=block))


def test_the_means_are_those_of_the_channels(tmp_path):
    block = CoTAttention(8, gate=0.0)
    block.gamma.data = torch.tensor([-1.0, 1, 1, 1, 0, 0, 0, 0])
    assert gates.gate_means(torch.nn.Sequential(block)) == {"0.CoTAttention/abs": 0.5, "0.CoTAttention/mean": 0.25}


def test_an_epoch_that_is_trained_again_replaces_its_row(tmp_path):
    for epoch, gate in ((0, 0.5), (1, float("nan")), (1, 0.25), (2, 0.125)):
        gate_curves.write_row(Trainer(tmp_path, epoch, gate))
    rows = table(tmp_path / "gates.csv")
    assert [list(row.values())[:2] for row in rows] == [["1", "0.5"], ["2", "0.25"], ["3", "0.125"]]
    gate_curves.write_row(Trainer(tmp_path, 0, 0.75))  # a new run in the same folder
    assert len(table(tmp_path / "gates.csv")) == 1


@pytest.mark.parametrize("content", ["", "epoch,.CoTAttention/abs,.CoTAttention/mean\n1,0.5,x\n", "what,is\nthis,?\n"])
def test_a_file_of_something_else_does_not_stop_a_training(tmp_path, content):
    (tmp_path / "gates.csv").write_text(content)
    gate_curves.write_row(Trainer(tmp_path, 1, 0.5))
    assert [row["epoch"] for row in table(tmp_path / "gates.csv")] == ["2"]


def test_uninstalling_takes_the_callbacks_out():
    installed = callbacks.add_integration_callbacks
    yolo_cot.uninstall()
    try:
        assert callbacks.add_integration_callbacks is installed.__wrapped__
    finally:
        yolo_cot.install()
    assert callbacks.add_integration_callbacks is not installed.__wrapped__
