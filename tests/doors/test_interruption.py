"""A training run that is killed, without warning, goes on with `resume=True` from what it had saved."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from tests.doors import tiny
from tests.processes import environment

EPOCHS = 4
# A process that trains, or goes on, and kills itself at an event: (name of the callback, epoch, batch).
RUN = """
import os, signal, sys
import yolo_cot
from ultralytics import YOLO
model, data, runs, event, epoch, batch = sys.argv[1:]
yolo = YOLO(model)
seen = {"epoch": -1, "batch": -1}

def strike(trainer, name):
    if name == "on_train_batch_start":
        seen["batch"] = seen["batch"] + 1 if seen["epoch"] == trainer.epoch else 0
        seen["epoch"] = trainer.epoch
    if name == event and trainer.epoch == int(epoch) and (batch == "-" or seen["batch"] == int(batch)):
        os.kill(os.getpid(), signal.SIGKILL)

for name in ("on_train_batch_start", "on_train_batch_end", "on_train_epoch_start", "on_train_epoch_end",
             "on_fit_epoch_end", "on_model_save", "on_val_batch_end"):
    yolo.add_callback(name, lambda trainer, name=name: hasattr(trainer, "epoch") and strike(trainer, name))
if model.endswith("last.pt"):
    yolo.train(resume=True)
else:
    yolo.train(data=data, epochs={epochs}, imgsz=64, batch=4, device="cpu", workers=0, amp=False, plots=False, seed=3,
               project=runs, name="t", exist_ok=True, mosaic=0.0)
""".replace("{epochs}", str(EPOCHS))

# Eight images in batches of four: batches 0 and 1. Before the first epoch has ended nothing is saved.
BETWEEN = [("on_train_epoch_start", 1, "-"), ("on_fit_epoch_end", 1, "-"), ("on_model_save", 1, "-")]
INSIDE = [("on_train_batch_start", 1, 0), ("on_train_batch_end", 1, 0), ("on_train_batch_end", 1, 1)]
LATE = [("on_train_epoch_end", 2, "-"), ("on_train_batch_start", 3, 1), ("on_train_epoch_end", 3, "-")]
POINTS = [*BETWEEN, *INSIDE, *LATE, ("on_train_epoch_start", 3, "-")]
QUICK = [POINTS[2], POINTS[4]]


def process(*words):
    command = [sys.executable, "-c", RUN, *map(str, words)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: its folder of everything."""
    folder = tmp_path_factory.mktemp("whole")
    model, data = tiny.model(folder).with_name("yolo11n-tiny.yaml"), tiny.data(folder / "d")
    done = process(model, data, folder / "runs", "never", 0, "-")
    assert done.returncode == 0, done.stderr
    return folder


def table(folder):
    with (folder / "runs" / "t" / "results.csv").open() as file:
        return [{key.strip(): value.strip() for key, value in row.items()} for row in csv.DictReader(file)]


def killed_and_resumed(whole, folder, event, epoch, batch):
    shutil.copytree(whole / "d", folder / "d")
    model, data = tiny.model(folder).with_name("yolo11n-tiny.yaml"), folder / "d" / "data.yaml"
    data.write_text(data.read_text().replace(str(whole), str(folder)))
    killed = process(model, data, folder / "runs", event, epoch, batch)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = folder / "runs" / "t" / "weights" / "last.pt"
    saved = torch.load(last, map_location="cpu", weights_only=False)
    rows = table(folder)
    # Every epoch that had ended before the kill is in the checkpoint, and in the table but for the one being written.
    ended = epoch + (event == "on_model_save")
    assert saved["epoch"] >= ended - 1
    assert len(rows) >= ended
    resumed = process(last, data, folder / "runs", "never", 0, "-")
    assert resumed.returncode == 0, resumed.stderr
    after = table(folder)
    assert [int(row["epoch"]) for row in after][-1] == EPOCHS
    assert after[: saved["epoch"] + 1] == rows[: saved["epoch"] + 1]  # nothing of it is lost
    assert len(after) == EPOCHS, [row["epoch"] for row in after]
    final = torch.load(folder / "runs" / "t" / "weights" / "best.pt", map_location="cpu", weights_only=False)
    assert {type(m).__name__ for m in (final["ema"] or final["model"]).modules()} >= {"CoTAttention", "C3k2CoT"}
    return after


@pytest.mark.parametrize("event, epoch, batch", QUICK)
def test_a_killed_run_goes_on_and_keeps_what_was_saved(whole, tmp_path, event, epoch, batch):
    killed_and_resumed(whole, tmp_path, event, epoch, batch)


@pytest.mark.slow
@pytest.mark.parametrize("event, epoch, batch", [point for point in POINTS if point not in QUICK])
def test_a_run_killed_anywhere_goes_on_and_keeps_what_was_saved(whole, tmp_path, event, epoch, batch):
    killed_and_resumed(whole, tmp_path, event, epoch, batch)
