"""attention, curve and bench work for every task whose metric Ultralytics gives, with that task's own metric."""

from __future__ import annotations

import csv

import pytest
from ultralytics import YOLO

from tests.commands.verbs import call
from tests.task_sets import SUFFIXES, TASKS, tiny_set
from yolo_cot.commands import attention, curve
from yolo_cot.commands.ablate.tasks import METRICS
from yolo_cot.commands.bench.models import measure_models
from yolo_cot.yaml_edit.recipe_names import recipes

# The newest base that has the task.
NAMES = {
    recipe.task: recipe.at_scale("n")
    for family in ("yolov8", "yolo11", "yolo26")
    for recipe in recipes()
    if recipe.idea.name == "outlook" and recipe.base.stem == family + SUFFIXES[recipe.task]
}
# One whose head gives one tensor, and one that gives more; the others in .ci/run.
AT_ONCE = {"classify", "segment"}


def test_every_task_of_this_ultralytics_has_its_model():
    assert set(NAMES) == {recipe.task for recipe in recipes()}
    assert set(NAMES) <= set(METRICS)
    assert set(METRICS) == set(TASKS)


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=() if task in AT_ONCE else pytest.mark.slow) for task in NAMES]
)
def test_a_model_is_timed_and_compared_in_onnxruntime(task):
    pytest.importorskip("onnxruntime")
    rows = measure_models([NAMES[task]], 64, 1, ["torch", "onnxruntime"])
    assert [row.runtime for row in rows] == ["torch", "onnxruntime"]
    assert all(row.seconds > 0 for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("task", NAMES)
def test_a_trained_model_has_a_point_and_pages(task, shared, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = tiny_set(shared, tmp_path / "cells", task)
    YOLO(NAMES[task]).train(
        data=str(data), epochs=1, imgsz=64, batch=4, device="cpu", workers=0, amp=False, plots=False, verbose=False,
        project=str(tmp_path / "runs"), name="t",
    )  # fmt: skip
    best = tmp_path / "runs/t/weights/best.pt"
    call(curve, models=best, data=data, imgsz=64, rounds=1, out=tmp_path / "curve")
    metric = next(iter(METRICS[task].values()))
    with (tmp_path / "curve/curve.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    found = YOLO(best).val(data=str(data), imgsz=64, device="cpu", plots=False, verbose=False, workers=0)
    assert row["metric"] == metric.title
    assert float(row["accuracy"]) == pytest.approx(found.results_dict[metric.key])
    call(attention, model=best, source=next((shared / "data/bccd/images/val").glob("*.jpg")), project=tmp_path / "a")
    with next((tmp_path / "a").rglob("numbers.csv")).open(encoding="utf-8") as file:
        assert "OutlookAttention" in {row["block"] for row in csv.DictReader(file)}
