"""Every task of the usual bases: a recipe trains on real pictures, predicts, and gives the same in onnxruntime."""

from __future__ import annotations

import copy

import pytest
from ultralytics import YOLO

from tests.live import live, output, picture
from tests.runtimes import run
from tests.task_sets import SUFFIXES, TASKS, tiny_set
from tests.tolerances import EXPORTED, distance
from yolo_cot.yaml_edit.recipe_names import recipes

FAMILIES = ("yolo26", "yolo12", "yolov8", "yolo11")
BASES = {f"{family}{suffix}": task for family in FAMILIES for task, suffix in SUFFIXES.items()}
EVERY = [r for r in recipes() if r.base.stem in BASES and r.idea.name == "cot-outlook"]
# In .ci/run, with those of the default base; the others in the weekly sweep.
OLDER = "yolov8-cot-outlook-pose.yaml"


def test_every_task_of_this_ultralytics_is_there():
    assert {BASES[r.base.stem] for r in EVERY} == set(TASKS) - (set() if _has_yolo26() else {"semantic", "depth"})
    assert all(r.task == BASES[r.base.stem] for r in EVERY)
    assert len(EVERY) >= 15


def _has_yolo26() -> bool:
    return any(r.base.stem == "yolo26" for r in EVERY)


def _mark(recipe):
    often = recipe.name == OLDER or recipe.base.stem.startswith("yolo26")
    return pytest.mark.slow if often else pytest.mark.sweep


@pytest.mark.parametrize("recipe", [pytest.param(r, id=r.name, marks=_mark(r)) for r in EVERY])
def test_a_recipe_trains_predicts_and_agrees_in_onnxruntime(recipe, shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, task = recipe.at_scale("n"), BASES[recipe.base.stem]
    data = tiny_set(shared, tmp_path / "cells", task)
    YOLO(name).train(
        data=str(data), epochs=1, imgsz=64, batch=4, device="cpu", workers=0, amp=False, plots=False, verbose=False,
        project=str(tmp_path / "runs"), name="t",
    )  # fmt: skip
    best = tmp_path / "runs/t/weights/best.pt"
    trained = YOLO(best)
    assert trained.task == task
    assert {"CoTAttention", "OutlookAttention"} <= {type(m).__name__ for m in trained.model.modules()}
    assert all(value.isfinite().all() for value in trained.model.state_dict().values())
    cells = next((shared / "data/bccd/images/val").glob("*.jpg"))
    assert len(trained.predict(cells, imgsz=64, device="cpu", verbose=False)) == 1

    model = live(trained.model.float())
    x = picture(96, 160)
    # Heads of dense tasks give full-size maps only in exports.
    exported = copy.deepcopy(model)
    exported.model[-1].export, exported.model[-1].format = True, "onnx"
    wanted = output(exported, x)
    assert distance(run("onnx", trained, x, tmp_path), wanted) < EXPORTED
