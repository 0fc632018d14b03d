"""`yolo-cot verify`: what a format computes is compared with PyTorch, and a wrong, crashed or absent one is a row."""

from __future__ import annotations

import csv
import math
import re
import sys

import numpy as np
import pytest
import torch
from ultralytics.engine.exporter import export_formats

from tests.processes import here
from yolo_cot.commands.runtimes import export as exporting
from yolo_cot.commands.runtimes import formats
from yolo_cot.commands.runtimes.compare import LEAST, largest_error
from yolo_cot.commands.timing import Ratio, ratio
from yolo_cot.commands.verify import processes
from yolo_cot.commands.verify.report import Report, write
from yolo_cot.commands.verify.result import ABSENT, AGREES, CONVERTS, DISAGREES, FAILED, Result, judged
from yolo_cot.commands.verify.sight import MOVED, unseen
from yolo_cot.plugin.catalog import BLOCKS, table

MODEL = """nc: 3
blocks: [recorded.Recorded]
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Recorded, [{gate: 0.5}]]
  - [-1, 1, CoTAttention, [{gate: 0.5}]]
  - [-1, 1, Conv, [32, 3, 2]]
head:
  - [[4], 1, Detect, [nc]]
"""
# A block that does something else while it is recorded, as a format does that does not know an operation.
BLOCK = """import os
import torch
from torch import nn


class Recorded(nn.Module):
    def __init__(self, c1):
        super().__init__()
        self.conv = nn.Conv2d(c1, c1, 1)

    def forward(self, x):
        if torch.jit.is_tracing():
            {while_recorded}
        return self.conv(x)
"""


def verify(folder, while_recorded, *words, status=0):
    """Run the command on the small model in a folder; returns what it printed, and the rows by format."""
    (folder / "recorded.py").write_text(BLOCK.format(while_recorded=while_recorded))
    (folder / "small.yaml").write_text(MODEL)
    done = here("verify", "model=small.yaml", "imgsz=64", "rounds=2", "threads=1", *words, cwd=folder, status=status)
    with (folder / "runs" / "verify" / "verify.csv").open(encoding="utf-8", newline="") as stream:
        return done, {row["format"]: row for row in csv.DictReader(stream)}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder in which the block of the small model is found afresh."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(BLOCKS)
    yield tmp_path
    for block in set(BLOCKS) - before:
        table.remove(block)
    sys.modules.pop("recorded", None)


def test_formats_that_agree_are_said_to_and_the_others_have_their_reason(place):
    pytest.importorskip("onnxruntime")
    done, rows = verify(place, "pass", "formats=onnx,imx,engine")
    assert [row["verdict"] for row in rows.values()] == [AGREES, ABSENT, ABSENT]
    assert 0 < float(rows["onnx"]["error"]) < 1e-4
    assert float(rows["onnx"]["megabytes"]) > 0.05
    assert "imx: Its converter takes YOLOv8n and YOLO11n with exactly their stock modules." in done.stdout
    assert "engine: TensorRT builds on the NVIDIA GPU" in done.stdout or torch.cuda.is_available()
    page = (place / "runs" / "verify" / "index.html").read_text(encoding="utf-8")
    assert "<td>onnx</td><td>agrees</td>" in page
    assert "bus.jpg, zidane.jpg" in page


def test_a_format_that_computes_something_else_ends_with_status_1(place):
    done, rows = verify(place, "return 1.1 * self.conv(x)", "formats=torchscript", status=1)
    assert rows["torchscript"]["verdict"] == DISAGREES
    assert float(rows["torchscript"]["error"]) > 1e-3
    assert "small is not what PyTorch computes in torchscript." in done.stderr
    assert re.search(r"torchscript: [\d.e-]+ is more than 1.0e-04\.", done.stdout)


@pytest.mark.parametrize("end, words", [("os.abort()", "signal SIGABRT"), ("os._exit(0)", "status 0")])
def test_a_crash_is_one_row_and_not_the_end(place, end, words):
    done, rows = verify(place, end, "formats=torchscript,hailo", status=1)
    assert rows["torchscript"]["verdict"] == FAILED
    assert f"Converting: the process ended with {words}; what it printed is in" in done.stdout
    assert rows["hailo"]["verdict"] == ABSENT


def test_a_converter_that_raises_is_one_row_with_its_words(place):
    done, rows = verify(place, "raise RuntimeError('no such operator')", "formats=torchscript", status=1)
    assert rows["torchscript"]["verdict"] == FAILED
    assert "torchscript: Converting failed: RuntimeError: no such operator." in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("form", ["torchscript", "onnx", "openvino", "ncnn"])
def test_a_config_agrees_and_is_timed_beside_its_plain_model(form, tmp_path):
    assert not formats.obstacle(form), "the environment of the slow tests has these runtimes"
    words = ("model=yolo11n-cot-outlook.yaml", "imgsz=160", "rounds=3", f"formats={form}", f"out={tmp_path}")
    done = here("verify", *words, cwd=tmp_path)
    with (tmp_path / "verify.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["verdict"] == AGREES
    assert 0 < float(row["ratio_low"]) <= float(row["ratio"]) <= float(row["ratio_high"])
    assert float(row["error_plain"]) < 1e-4
    assert "times yolo11n" in done.stdout


@pytest.mark.slow
def test_map_is_measured_where_there_is_a_data_set(shared, tmp_path):
    data, weights = shared / "data/bccd/bccd.yaml", shared / "data/weights/yolo11n-coco-approx.pt"
    if not data.is_file() or not weights.is_file():
        pytest.skip("needs the data and the weights beside the checkout")
    here(
        "verify", f"model={weights}", f"data={data}", "imgsz=160", "formats=torchscript", f"out={tmp_path}", "rounds=1"
    )
    with (tmp_path / "verify.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert 0 <= float(row["map"]) <= 1


def test_every_format_of_this_ultralytics_is_known():
    there = set(export_formats()["Argument"]) - {"-"}
    assert there <= set(formats.FORMATS) | formats.OLDER
    assert len(there) > 10


def test_a_format_that_does_not_exist_is_named():
    done = here("verify", "model=yolo11n-cot.yaml", "formats=onix", status=1)
    assert "knows the formats torchscript" not in done.stdout
    assert re.search(r"yolo-cot verify knows the formats .*; got onix\.", done.stderr)


def test_integers_need_pictures_to_calibrate_on():
    done = here("verify", "model=yolo11n-cot.yaml", "precision=8", status=1)
    assert "precision=8 needs data=" in done.stderr


@pytest.mark.parametrize("name, precision, given", [("qnn", "32", True), ("onnx", "32", False), ("onnx", "8", True)])
def test_formats_of_integers_get_their_pictures(name, precision, given, tmp_path, monkeypatch):
    seen: dict[str, object] = {}

    class Exported:
        def __init__(self, weights):
            pass

        def export(self, **settings):
            seen.update(settings)
            return tmp_path / "m"

    monkeypatch.setattr(exporting, "YOLO", Exported)
    exporting.export(tmp_path / "m.pt", name, 64, precision, "cells.yaml")
    assert seen.get("data") == ("cells.yaml" if given else None)


def test_what_is_not_installed_is_named_with_the_package_that_brings_it(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    assert formats.obstacle("mnn").startswith("not installed: MNN, aliyun.log, onnx; pip install MNN")
    assert formats.obstacle("torchscript") == ""
    assert formats.runs_here("coreml").startswith("it converts; it runs on macOS only") or sys.platform == "darwin"
    assert formats.runs_here("onnx").startswith("it converts; its runtime is not installed: onnxruntime")


def test_boxes_do_not_hide_scores():
    wanted = np.zeros((1, 6, 10), np.float32)
    wanted[:, :4], wanted[:, 4:] = 600, 0.5
    got = wanted.copy()
    got[:, 4, 3] += 0.05
    assert largest_error([got], [wanted], classes=2) == pytest.approx(0.1, rel=1e-5)
    got = wanted.copy()
    got[:, 0, 0] += 6
    assert largest_error([got], [wanted], classes=2) == pytest.approx(0.01, rel=1e-5)


def test_scores_that_are_no_detections_count_against_the_least_one():
    wanted = np.full((1, 5, 3), 1e-6, np.float32)
    assert largest_error([2 * wanted], [wanted], classes=1) == pytest.approx(1e-6 / LEAST, rel=1e-3)


@pytest.mark.parametrize(
    "got, words", [(np.zeros((1, 5, 4)), "shapes"), (np.full((1, 5, 3), np.nan), "no numbers")]
)  # fmt: skip
def test_outputs_of_other_shapes_or_without_numbers_are_refused(got, words):
    with pytest.raises(ValueError, match=words):
        largest_error([got], [np.zeros((1, 5, 3))], classes=1)


@pytest.mark.parametrize(
    "found, precision, verdict, words",
    [
        ({"error": 9e-5}, "32", AGREES, ""),
        ({"error": 2e-4}, "32", DISAGREES, "2.0e-04 is more than 1.0e-04."),
        ({"error": 2e-2, "error_plain": 1.5e-2}, "16", AGREES, ""),
        ({"error": 4e-2, "error_plain": 1.5e-2}, "16", DISAGREES, "4.0e-02 is more than 3.0e-02."),
        ({"error": 0.3}, "8", AGREES, ""),
        ({"note": "It converts."}, "32", CONVERTS, "It converts."),
        ({"failed": "Converting failed: X.", "plain_fails": True}, "32", ABSENT, "X. Plain yolo11n fails here, too."),
        ({"failed": "Converting failed: X.", "plain_fails": False}, "32", FAILED, "X. Plain yolo11n does not."),
        ({"failed": "Running failed: X."}, "32", FAILED, "Running failed: X."),
    ],
)
def test_the_verdict_is_that_of_the_numbers(found, precision, verdict, words):
    result = judged("onnx", found, precision, 1e-4, "yolo11n")
    assert result.verdict == verdict
    assert result.note.endswith(words)


def test_a_process_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    found = processes.found_by({}, tmp_path, timeout=1)
    assert found["failed"].startswith("Starting: the process took more than 1 s")


def test_ratios_are_those_of_the_rounds():
    assert ratio([2.0, 4.0, 3.0, 8.0, 5.0], [1.0] * 5) == Ratio(4.0, 3.0, 5.0)
    assert ratio([2.0, 20.0, 4.0], [1.0, 10.0, 2.0]) == Ratio(2.0, 2.0, 2.0)
    assert Ratio(2.0, 1.9, 2.1).spread == pytest.approx(0.1)


def test_what_a_comparison_cannot_see_is_said():
    model = torch.nn.Sequential(torch.nn.ReLU())
    picture = torch.zeros(1, 1, 2, 2)
    assert "moves the output by 0e+00 only" in unseen(model, lambda x: 0.0, picture, 1e-4)[0]
    assert unseen(model, lambda x: 2 * MOVED, picture, 1e-4) == []


def test_a_page_escapes_what_it_is_told(tmp_path):
    results = [Result("onnx", FAILED, note="<script>")]
    files = write(Report("<b>", "", "mAP", math.nan, [], [], results), tmp_path)
    text = files[1].read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "<b>" not in text
