"""RT-DETR in the commands: opened by its own class, stretched pictures, and detections in any order."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from ultralytics import RTDETR, YOLO

from tests.commands.verbs import call
from tests.entry_points import tiny
from yolo_cot.commands import ablate, quickstart, verify
from yolo_cot.commands.ablate import detections
from yolo_cot.commands.ablate.runs.measure import measure
from yolo_cot.commands.bench import models as timed
from yolo_cot.commands.runtimes.compare import largest_error
from yolo_cot.commands.verify.pictures import pictures
from yolo_cot.commands.verify.subject import evaluation, outputs, prepare
from yolo_cot.commands.verify.worker import Work
from yolo_cot.plugin.naming import opened, task_of

# Of torch's exporter, on the stock head's queries.
pytestmark = pytest.mark.filterwarnings("ignore:Exporting aten.*index operator of advanced indexing")


@pytest.fixture
def model(tmp_path):
    """The YAML of a small RT-DETR with a block."""
    file = tmp_path / "rtdetr-tiny-cot.yaml"
    file.write_text(tiny.RTDETR)
    return file


def test_a_yaml_is_opened_by_the_class_that_its_head_needs(model, tmp_path):
    assert type(opened(model)) is RTDETR
    assert task_of(opened(model).model.yaml) == "detect"
    assert type(opened(tiny.model(tmp_path))) is YOLO
    # It is the head that tells, not the name.
    assert type(opened(model.rename(tmp_path / "mine.yml"))) is RTDETR
    assert type(opened(tiny.model(tmp_path, "yolo11n-rtdetr-neck.yaml"))) is YOLO


@pytest.mark.parametrize("head", ["{a: 1}", "5", "[5]"])
def test_a_head_that_is_none_is_told_as_for_every_other_yaml(head, tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(f"nc: 2\nbackbone: [[-1, 1, Conv, [16, 3, 2]]]\nhead: {head}\n")
    told = []
    for way in (opened, YOLO):
        with pytest.raises(Exception) as error:  # noqa: PT011 - whichever it is, it is the same
            way(file)
        told.append((type(error.value), str(error.value)))
    assert told[0] == told[1]


def test_detections_are_compared_with_those_that_they_are_nearest_to():
    wanted = np.random.default_rng(0).random((2, 7, 6))
    got = wanted[:, [3, 0, 1, 2, 6, 5, 4]]
    assert largest_error([got], [wanted], 2, unordered=True) == 0
    assert largest_error([got], [wanted], 2) > 0.1
    off = got.copy()
    off[1, 2, 4] += 0.1 * wanted[..., 4].max()  # one score
    assert largest_error([off], [wanted], 2, unordered=True) == pytest.approx(0.1)
    # One class, as older releases give it: boxes and a score.
    assert largest_error([got[..., :5]], [wanted[..., :5]], 1, unordered=True) == 0
    # Two alike for one of each: no detection may stand for two.
    off = got.copy()
    off[0, 0] = off[0, 1]
    assert largest_error([off], [wanted], 2, unordered=True) > 0.1


@pytest.mark.parametrize("others, agrees", [(3, True), (4, False)])
def test_one_percent_may_be_other_detections_for_rounding_decides_which_is_the_last_one_kept(others, agrees):
    random = np.random.default_rng(0)
    wanted = random.random((1, 300, 6))
    got = wanted[:, ::-1].copy()
    got[0, :others] = random.random((others, 6))
    assert (largest_error([got], [wanted], 2, unordered=True) < 1e-4) == agrees


def in_another_order(run):
    """A runner whose detections come in another order."""
    return lambda pictures: [np.ascontiguousarray(array[:, ::-1]) for array in run(pictures)]


def test_a_model_is_timed_in_onnxruntime_once_it_agrees_there(model, monkeypatch):
    pytest.importorskip("onnxruntime")
    load = timed.load
    monkeypatch.setattr(timed, "load", lambda *given: in_another_order(load(*given)))
    rows = timed.measure_models([str(model)], 64, 1, ["torch", "onnxruntime"])
    assert [row.runtime for row in rows] == ["torch", "onnxruntime"]


def test_a_format_may_give_the_detections_in_another_order(model, tmp_path):
    _, shots = pictures(None, 64)
    subject = prepare(str(model), shots, tmp_path)
    assert subject.unseen == []
    network = evaluation(opened(model).load(subject.weights).model)
    worker = Work({"classes": subject.classes, "unordered": subject.unordered}, tmp_path)
    run = in_another_order(lambda given: outputs(network, given))
    assert worker.error(run, subject.reference) < 1e-6
    assert not prepare(str(tiny.model(tmp_path)), shots, tmp_path).unordered


@pytest.mark.parametrize("kind", ["YOLO", "RTDETR"])
def test_boxes_are_kept_in_pixels_of_pictures_that_are_not_square(kind, model, tmp_path):
    labels = {"wide": (60, 120, [0.25, 0.5, 0.2, 0.4]), "tall": (100, 40, [0.5, 0.2, 0.5, 0.1])}
    for part in ("images", "labels"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for name, (height, width, box) in labels.items():
        cv2.imwrite(str(tmp_path / "set/images" / f"{name}.png"), np.zeros((height, width, 3), np.uint8))
        (tmp_path / "set/labels" / f"{name}.txt").write_text(f"0 {' '.join(map(str, box))}\n")
    data = tmp_path / "set/data.yaml"
    data.write_text("train: images\nval: images\nnames: [square, disc]\n")
    network = opened(model if kind == "RTDETR" else tiny.model(tmp_path))
    network.save(tmp_path / "best.pt")
    args = type("Args", (), {"data": str(data), "imgsz": 64, "batch": 2, "device": "cpu", "workers": 0})
    measure(tmp_path / "best.pt", args, "val", tmp_path, "best")
    kept = detections.load(tmp_path)
    for number, box in zip(kept.there_image, kept.there_box):
        height, width, (x, y, w, h) = labels[Path(str(kept.files[number])).stem]
        wanted = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
        assert box == pytest.approx(wanted, abs=0.01)
    assert len(kept.there_box) == 2
    assert len(kept.box) or kind == "YOLO"  # whose scores start near 0
    assert (kept.box[:, [0, 2]] <= 120).all()


def test_stretched_pictures_of_older_releases_keep_their_gains_alone():
    import torch

    from yolo_cot.commands.ablate.runs.recorder import BoxKeeper

    batch = {"ratio_pad": [(64 / 60, 64 / 120)], "ori_shape": [(60, 120)]}
    box = BoxKeeper._in_picture(torch.tensor([[16.0, 16.0, 32.0, 80.0]]), batch, 0)
    assert box.tolist()[0] == pytest.approx([30, 15, 60, 60])  # the last one is cut at the picture's edge


@pytest.mark.slow
def test_an_ablation_of_rtdetr_with_its_controls(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = tmp_path / "rtdetr-tiny.yaml"
    base.write_text(tiny.RTDETR.replace("  - [-1, 1, CoTAttention, []]\n", "").replace("[1, 3]", "[1, 2]"))
    settings = {"imgsz": 64, "batch": 4, "nbs": 4, "workers": 0, "device": "cpu", "any_budget": True}
    data = tiny.data(tmp_path / "set")
    call(ablate, models=f"{base},{model}", data=data, seeds=1, epochs=1, project=tmp_path / "p", **settings)
    with (tmp_path / "p/results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"].removeprefix("rtdetr-tiny") for row in rows][:3] == ["", "-cot", "-cot-as-conv"]
    assert len({row["data_order"] for row in rows}) == 1
    plan = json.loads((tmp_path / "p/plan.json").read_text())
    assert plan["task"] == "detect"


@pytest.mark.slow
def test_a_training_ends_with_a_checked_onnx_file_which_verify_finds_to_agree(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = quickstart.Arguments(
        model=str(model),
        data=str(tiny.data(tmp_path / "set")),
        settings={"epochs": 1, "imgsz": 64, "batch": 4, "workers": 0, "device": "cpu", "project": str(tmp_path / "r")},
    )
    outcome = quickstart.run(arguments)
    assert outcome.onnx.is_file()
    call(verify, model=outcome.weights, formats="torchscript,onnx", imgsz=64, rounds=1, out=tmp_path / "v")
    with (tmp_path / "v/verify.csv").open(encoding="utf-8") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["agrees", "agrees"]
