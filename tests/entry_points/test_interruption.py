"""A training run that is killed, without warning, goes on with `resume=True` from what it had saved.

Does the resumed run end where an uninterrupted one ends? Ultralytics saves the running average of the weights in half
precision and no random state, so with augmentation its own stock models do not; without augmentation and shuffling they
come near, mostly with the same metrics. So every kill is done to a stock model as well, and ours has to end as near.
"""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from ultralytics import YOLO

from tests.entry_points import tiny
from tests.processes import environment

EPOCHS = 4
# A process that trains, or goes on, and kills itself at an event: (name of the callback, epoch, batch).
RUN = """
import os, signal, sys
{package}
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
               project=runs, name="t", exist_ok=True, **{settings})
""".replace("{epochs}", str(EPOCHS))
# Nothing that is drawn by chance, and a step of the optimizer for every batch.
SETTINGS = {"mosaic": 0.0, "rect": True, "hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.0, "translate": 0.0, "scale": 0.0}
SETTINGS |= {"fliplr": 0.0, "erasing": 0.0, "optimizer": "SGD", "lr0": 0.001, "warmup_epochs": 0, "nbs": 4}

# Eight images in batches of four: batches 0 and 1. Before the first epoch has ended nothing is saved.
BETWEEN = [("on_train_epoch_start", 1, "-"), ("on_fit_epoch_end", 1, "-"), ("on_model_save", 1, "-")]
INSIDE = [("on_train_batch_start", 1, 0), ("on_train_batch_end", 1, 0), ("on_train_batch_end", 1, 1)]
LATE = [("on_train_epoch_end", 2, "-"), ("on_train_batch_start", 3, 1), ("on_train_epoch_end", 3, "-")]
POINTS = [*BETWEEN, *INSIDE, *LATE, ("on_train_epoch_start", 3, "-")]
QUICK = [POINTS[2], POINTS[4]]


METRICS = ["metrics/precision(B)", "metrics/recall(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)"]
LOSSES = ["val/box_loss", "val/cls_loss", "val/dfl_loss"]
STOCK = (
    tiny.MODEL.replace("C3k2CoT", "C3k2")
    .replace("OutlookAttention, [{num_heads: 2, gate: 0.0}]", "Conv, [128, 1, 1]")
    .replace("CoTAttention, [{gate: 0.0}]", "Conv, [128, 1, 1]")
)


def process(*words, kind="ours", settings=SETTINGS):
    package = "import yolo_cot" if kind == "ours" else ""
    code = RUN.replace("{package}", package).replace("{settings}", repr(settings))
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """For our model and a stock one: a checkpoint that finds most things, and the last row of a run from there on."""
    folder = tmp_path_factory.mktemp("trained")
    tiny.data(folder / "d")
    rows = {}
    for kind, text in (("ours", tiny.MODEL), ("stock", STOCK)):
        place = folder / kind
        place.mkdir()
        tiny.model(place).write_text(text)
        YOLO(place / "yolo11n-tiny.yaml").train(
            data=folder / "d" / "data.yaml", epochs=60, imgsz=64, batch=4, device="cpu", workers=0, amp=False,
            plots=False, seed=3, project=place / "runs", name="s", mosaic=0.0, optimizer="AdamW", lr0=0.01,
            warmup_epochs=0, nbs=4, verbose=False,
        )  # fmt: skip
        shutil.copy(place / "runs" / "s" / "weights" / "best.pt", place / "start.pt")
        done = process(place / "start.pt", folder / "d" / "data.yaml", place / "runs", "never", 0, "-", kind=kind)
        assert done.returncode == 0, done.stderr
        rows[kind] = numbers(table(place)[-1])
        assert rows[kind]["metrics/mAP50(B)"] > 0.5, rows[kind]
    return folder, rows


def table(folder):
    with (folder / "runs" / "t" / "results.csv").open() as file:
        return [{key.strip(): value.strip() for key, value in row.items()} for row in csv.DictReader(file)]


def numbers(row):
    return {key: float(row[key]) for key in [*METRICS, *LOSSES]}


def killed_and_resumed(base, model, folder, point, kind="ours"):
    """Train in `folder` on the data of `base`, kill at the point, resume; returns the rows of `results.csv`."""
    event, epoch, _ = point
    shutil.copytree(base / "d", folder / "d")
    data = folder / "d" / "data.yaml"
    data.write_text(data.read_text().replace(str(base), str(folder)))
    killed = process(model, data, folder / "runs", *point, kind=kind)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = folder / "runs" / "t" / "weights" / "last.pt"
    saved = torch.load(last, map_location="cpu", weights_only=False)
    rows = table(folder)
    # Every epoch that had ended before the kill is in the checkpoint, and in the table but for the one being written.
    ended = epoch + (event == "on_model_save")
    assert saved["epoch"] >= ended - 1
    assert len(rows) >= ended
    resumed = process(last, data, folder / "runs", "never", 0, "-", kind=kind)
    assert resumed.returncode == 0, resumed.stderr
    after = table(folder)
    assert [int(row["epoch"]) for row in after] == [*range(1, EPOCHS + 1)]
    assert after[: saved["epoch"] + 1] == rows[: saved["epoch"] + 1]  # nothing of it is lost
    final = torch.load(folder / "runs" / "t" / "weights" / "best.pt", map_location="cpu", weights_only=False)
    names = {type(m).__name__ for m in (final["ema"] or final["model"]).modules()}
    assert {"CoTAttention", "C3k2CoT"} <= names or kind == "stock"
    return after


@pytest.mark.slow
@pytest.mark.parametrize("event, epoch, batch", QUICK)
def test_a_killed_run_goes_on_and_keeps_what_was_saved(tmp_path, event, epoch, batch):
    base, folder = tmp_path / "base", tmp_path / "run"
    tiny.data(base / "d")
    folder.mkdir()
    model = tiny.model(folder).with_name("yolo11n-tiny.yaml")
    killed_and_resumed(base, model, folder, (event, epoch, batch))


@pytest.mark.sweep
@pytest.mark.parametrize("event, epoch, batch", POINTS)
def test_a_run_killed_anywhere_ends_as_near_to_an_uninterrupted_one_as_a_stock_model(
    trained, tmp_path, event, epoch, batch
):
    base, uninterrupted = trained
    away = {}
    for kind in ("stock", "ours"):
        (tmp_path / kind).mkdir()
        rows = killed_and_resumed(base, base / kind / "start.pt", tmp_path / kind, (event, epoch, batch), kind)
        away[kind] = {key: abs(value - uninterrupted[kind][key]) for key, value in numbers(rows[-1]).items()}
        print(event, epoch, batch, kind, {key: round(value, 5) for key, value in away[kind].items() if value})
    # Where the stock model ends with the same number, 0 away, so must ours; a hundredth is one box on a threshold.
    for key in METRICS:
        assert away["ours"][key] <= away["stock"][key] + 0.01, (key, away)
    for key in LOSSES:
        assert away["ours"][key] <= away["stock"][key] + 0.05 * uninterrupted["ours"][key], (key, away)
