"""Every task of the usual bases: a recipe trains on real pictures, predicts, and gives the same in onnxruntime."""

from __future__ import annotations

import copy
import os

import pytest
import torch
from ultralytics import YOLO

from tests.task_sets import TASKS, tiny_set
from tests.tolerances import EXPORTED, distance
from yolo_cot.yaml_edit.recipe_names import recipes

FAMILIES = ("yolo26", "yolo12", "yolov8", "yolo11")
SUFFIXES = {"detect": "", "segment": "-seg", "semantic": "-sem", "classify": "-cls"}
BASES = {f"{family}{SUFFIXES.get(task, '-' + task)}": task for family in FAMILIES for task in TASKS}
EVERY = [r for r in recipes() if r.base.stem in BASES and r.idea.name == "cot-outlook"]
QUICK = {"yolov8-cot-outlook-pose.yaml"}


def test_every_task_of_this_ultralytics_is_there():
    assert {BASES[r.base.stem] for r in EVERY} == set(TASKS) - (set() if _has_yolo26() else {"semantic", "depth"})
    assert all(r.task == BASES[r.base.stem] for r in EVERY)
    assert len(EVERY) >= 15


def _has_yolo26() -> bool:
    return any(r.base.stem == "yolo26" for r in EVERY)


def first(output: object) -> torch.Tensor:
    while isinstance(output, (list, tuple)):
        output = output[0]
    assert isinstance(output, torch.Tensor)
    return output


@pytest.mark.parametrize(
    "recipe", [pytest.param(r, id=r.name, marks=() if r.name in QUICK else pytest.mark.slow) for r in EVERY]
)
def test_a_recipe_trains_predicts_and_agrees_in_onnxruntime(recipe, shared, tmp_path, monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
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
    picture = next((shared / "data/bccd/images/val").glob("*.jpg"))
    assert len(trained.predict(picture, imgsz=64, device="cpu", verbose=False)) == 1

    # Gates open, so that the blocks are in what is compared.
    for parameter_name, parameter in trained.model.named_parameters():
        if parameter_name.endswith("gamma"):
            torch.nn.init.uniform_(parameter, 0.5, 1.0)
    opened = copy.deepcopy(trained.model).float().eval()
    file = trained.export(format="onnx", imgsz=64, simplify=False, verbose=False)
    session = onnxruntime.InferenceSession(os.fspath(file), providers=["CPUExecutionProvider"])
    head = opened.model[-1]
    head.export, head.format = True, "onnx"
    torch.manual_seed(1)
    x = torch.rand(1, 3, 64, 64)
    got = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    with torch.no_grad():
        wanted = first(opened.fuse(verbose=False)(x))
        blank = first(opened(torch.zeros_like(x)))
    assert distance(got, wanted) < EXPORTED
    assert distance(blank, wanted) > 5 * EXPORTED
