"""curve: what it prints is what Ultralytics' own validation says, beside a time of each checkpoint."""

from __future__ import annotations

import csv

import pytest
from ultralytics import YOLO

from tests import small_sets
from tests.entry_points import tiny
from tests.processes import here


def curve(folder, *words, status=0):
    return here("curve", *words, cwd=folder, status=status)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a data set and two checkpoints of a tiny model."""
    folder = tmp_path_factory.mktemp("curve")
    data = tiny.data(folder)
    tiny.model(folder)
    settings = {"imgsz": 64, "batch": 4, "device": "cpu", "workers": 0, "plots": False, "amp": False, "verbose": False}
    for name, epochs in (("tiny-a", 1), ("tiny-b", 2)):
        yolo = YOLO(folder / "yolo11-tiny.yaml")
        yolo.train(data=str(data), project=str(folder / "runs"), name=name, epochs=epochs, **settings)
    return folder


def test_the_points_are_those_of_ultralytics_validation(trained):
    best = [f"runs/{name}/weights/best.pt" for name in ("tiny-a", "tiny-b")]
    done = curve(trained, f"models={','.join(best)}", "imgsz=64", "rounds=3", "out=out")
    assert "mAP50-95 against time per image" in done.stdout
    assert (trained / "out/curve.png").stat().st_size > 5000
    with (trained / "out/curve.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["series"], row["model"]) for row in rows] == [("tiny", "tiny-a"), ("tiny", "tiny-b")]
    for row, file in zip(rows, best):
        metrics = YOLO(trained / file).val(
            data=str(trained / "data.yaml"), imgsz=64, device="cpu", plots=False, verbose=False, workers=0
        )
        assert float(row["accuracy"]) == pytest.approx(metrics.results_dict["metrics/mAP50-95(B)"])
        assert float(row["milliseconds"]) > 0
        assert int(row["parameters"]) == sum(p.numel() for p in YOLO(trained / file).model.parameters())


def test_classifiers_are_told_by_their_top_1(shared, tmp_path):
    data = small_sets.class_folders(shared, tmp_path / "cells")
    yolo = YOLO("yolo11n-cls.yaml")
    yolo.train(
        data=str(data), epochs=1, imgsz=32, device="cpu", workers=0, plots=False, project=str(tmp_path), name="t"
    )
    done = curve(tmp_path, "models=t/weights/last.pt", f"data={data}", "imgsz=32", "rounds=2")
    assert "top-1 accuracy" in done.stdout
    assert (tmp_path / "runs/curve/curve.csv").is_file()


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "needs models="),
        (["models=absent.pt"], "absent.pt is not a file"),
        (["models=a.pt", "rouns=3"], "no argument 'rouns'. Did you mean 'rounds'?"),
        (["models=a.pt", "rounds=0"], "rounds as a whole number of at least 1; got rounds=0"),
    ],
)
def test_bad_input_is_told_in_one_line(words, message, tmp_path):
    done = curve(tmp_path, *words, status=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_checkpoints_of_several_tasks_are_refused(trained):
    YOLO("yolo11n-cls.yaml").save(trained / "classifier.pt")
    done = curve(trained, "models=runs/tiny-a/weights/best.pt,classifier.pt", status=1)
    assert "checkpoints of one task" in done.stderr
