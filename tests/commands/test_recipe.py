"""The README's recipe for classification: top-1, top-5 and the learning rate, in results.csv and in TensorBoard."""

from __future__ import annotations

import csv
import math
import os
import re
import shutil
from pathlib import Path

import pytest

from tests import small_sets
from tests.processes import python
from yolo_cot.paths import config_dir


@pytest.mark.slow
def test_curves_reach_tensorboard_and_the_learning_rate_falls_as_a_cosine(shared, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = small_sets.class_folders(shared, tmp_path / "cells")
    short = re.sub(r"^(  - \[-1, )\d+", r"\g<1>1", (config_dir() / "cotnet50-cls.yaml").read_text(), flags=re.M)
    (tmp_path / "short-cls.yaml").write_text(short)
    code = f"""
import yolo_cot
from ultralytics import YOLO, settings
settings.update(tensorboard=True)
YOLO({str(tmp_path / "short-cls.yaml")!r}).train(
    data={str(data)!r}, epochs=4, imgsz=32, batch=8, cos_lr=True, optimizer="SGD", lr0=0.1, lrf=0.01, warmup_epochs=0,
    device="cpu", workers=0, amp=False, plots=False, save=False, project={str(tmp_path)!r}, name="t"
)
"""
    # The setting is kept in a file: this test has one of its own.
    settings = tmp_path / "config"
    shutil.copytree(Path(os.environ["YOLO_CONFIG_DIR"]) / "Ultralytics", settings / "Ultralytics")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # Ultralytics logs nothing while it sees a test running
    python(code, YOLO_CONFIG_DIR=str(settings))
    with (tmp_path / "t/results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    events = EventAccumulator(str(tmp_path / "t")).Reload()
    for name in ("metrics/accuracy_top1", "metrics/accuracy_top5", "train/loss"):
        curve = [event.value for event in events.Scalars(name)][: len(rows)]  # best.pt's comes last
        assert curve == pytest.approx([float(row[name]) for row in rows], rel=1e-4)
    rates = [event.value for event in events.Scalars("lr/pg0")]
    # Falls from lr0 to lr0 * lrf along half a cosine, seen at the end of each epoch.
    wanted = [0.1 * (0.01 + 0.99 * (1 + math.cos(math.pi * n / 4)) / 2) for n in range(4)]
    assert rates == pytest.approx(wanted, rel=0.02)
