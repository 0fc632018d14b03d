"""Every task whose metric Ultralytics gives: trained, measured and reported."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from ultralytics.nn import tasks

from tests.entry_points import tiny
from yolo_cot.commands.ablate.inputs import digests
from yolo_cot.commands.ablate.plan import Entry, Plan
from yolo_cot.commands.ablate.report import write_report
from yolo_cot.commands.ablate.results import Results
from yolo_cot.commands.ablate.runs.train import train
from yolo_cot.commands.ablate.tasks import METRICS, asked
from yolo_cot.plugin.datasets import dataset_files
from yolo_cot.whole_file import write_json

HEADS = {
    "segment": ("[[2, 5], 1, Segment, [nc, 8, 16]]", "{c} {x1} {y1} {x2} {y1} {x2} {y2} {x1} {y2}"),
    "pose": ("[[2, 5], 1, Pose, [nc, kpt_shape]]", "{c} {x} {y} {w} {h} {x1} {y1} {x2} {y1} {x2} {y2} {x1} {y2}"),
    "obb": ("[[2, 5], 1, OBB, [nc, 1]]", "{c} {x1} {y1} {x2} {y1} {x2} {y2} {x1} {y2}"),
    "semantic": ("[[2, 5], 1, SemanticSegment, [nc]]", "{c} {x1} {y1} {x2} {y1} {x2} {y2} {x1} {y2}"),
    "depth": ("[[2, 5], 1, Depth, [16]]", "{c} {x} {y} {w} {h}"),
    "classify": ("[-1, 1, Classify, [nc]]", ""),
}


def relabel(folder, form):
    """Write what the labels of a split say in another form."""
    for file in folder.glob("*.txt"):
        lines = []
        for line in file.read_text().splitlines():
            c, x, y, w, h = (float(v) for v in line.split())
            corners = {"x1": x - w / 2, "y1": y - h / 2, "x2": x + w / 2, "y2": y + h / 2}
            lines.append(form.format(c=int(c), x=x, y=y, w=w, h=h, **corners))
        file.write_text("\n".join(lines) + "\n")


def data_of(task, folder):
    if task == "classify":
        random = np.random.default_rng(0)
        for place in ("train/a", "train/b", "val/a", "val/b"):
            (folder / place).mkdir(parents=True)
            for i in range(3):
                picture = random.integers(0, 255, (64, 64, 3), dtype=np.uint8)
                cv2.imwrite(str(folder / place / f"{i}.png"), picture)
        return folder
    file = tiny.data(folder)
    for split in ("train", "val"):
        relabel(folder / split / "labels", HEADS[task][1])
    if task == "depth":
        for split in ("train", "val"):
            (folder / split / "depth").mkdir()
            for picture in (folder / split / "images").glob("*.png"):
                near = 1 + cv2.imread(str(picture)).mean(-1) / 255
                np.save(folder / split / "depth" / f"{picture.stem}.npy", near.astype(np.float32))
    if task == "pose":
        file.write_text(file.read_text() + "kpt_shape: [4, 2]\nflip_idx: [1, 0, 3, 2]\n")
    return file


@pytest.mark.slow
@pytest.mark.parametrize("task", HEADS)
def test_a_task_is_trained_measured_and_reported(task, tmp_path):
    if not hasattr(tasks, re.search(r"1, (\w+)", HEADS[task][0])[1]):
        pytest.skip(f"this release of Ultralytics has no task '{task}'")
    data = data_of(task, tmp_path / "d")
    text = tiny.MODEL.replace("[[2, 5], 1, Detect, [nc]]", HEADS[task][0])
    (tmp_path / "yolo11-tiny.yaml").write_text(f"kpt_shape: [4, 2]\n{text}" if task == "pose" else text)
    settings = {"data": str(data), "epochs": 1, "imgsz": 64, "batch": 4, "workers": 0, "amp": False, "device": "cpu"}
    settings |= {"plots": False, "patience": 0}
    inputs = digests(dataset_files(settings, ("train", "val"), task), settings)
    plan = Plan(tmp_path / "p", settings, task, seeds=1, models=[Entry("one"), Entry("two")], inputs=inputs)
    first, second = plan.runs()
    first.folder.mkdir(parents=True)
    result = train(str(tmp_path / "yolo11n-tiny.yaml"), 0, settings, first.folder, "val")
    assert METRICS[task].keys() <= result["best"].keys()
    assert METRICS[task].keys() <= result["last"].keys()
    assert ("sizes" in result["best"]) == (task in ("segment", "pose"))
    assert result["gates"].keys() == {"4.OutlookAttention", "5.CoTAttention"}
    for run in (first, second):
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(run.folder / "result.json", result)
    assert write_report(Results(plan), {}) == [
        "two against one: nothing to say: +0.00 points with one seed, and one seed tells nothing about chance"
    ]
    name = next(iter(METRICS[task].values())).title
    assert name in (plan.folder / "report.md").read_text()


def test_a_metric_is_asked_for_by_epoch_and_name():
    assert asked("detect", "") == ("best", "map")
    assert asked("classify", "last_top5") == ("last", "top5")
    with pytest.raises(ValueError, match=r"metric= takes one of top1, top5, last_top1, .* 'classify'; got map"):
        asked("classify", "map")
