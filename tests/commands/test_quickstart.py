"""train_det.py: everything it promises, on a small set, through the real entry point; and its checks, broken once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from ultralytics import YOLO

from tests.conftest import ROOT
from yolo_cot.commands import quickstart
from yolo_cot.commands.arguments import read
from yolo_cot.commands.quickstart import onnx_check
from yolo_cot.commands.quickstart.detections import CELL, draw_detections
from yolo_cot.commands.quickstart.onnx_check import compare, operators
from yolo_cot.commands.quickstart.recipe import RECIPE, with_recipe
from yolo_cot.data.scene import CLASSES
from yolo_cot.data.shapes import generate
from yolo_cot.paths import data_dir

SHORT = {"epochs": 1, "imgsz": 64, "batch": 4, "workers": 0, "device": "cpu", "plots": False}


def given(**arguments):
    """The arguments of a short run."""
    return read(quickstart.Arguments, [f"{key}={value}" for key, value in {**SHORT, **arguments}.items()])


def train_det(folder, *words, timeout=300):
    """Run the script from a folder of its own, as a user does."""
    return subprocess.run(
        [sys.executable, str(ROOT / "train_det.py"), *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def data_yaml(folder, **splits):
    """A small set of drawn shapes and the YAML that names its splits."""
    generate(folder / "set", splits, size=64)
    content = {"path": str(folder / "set"), "names": list(CLASSES), **{split: f"images/{split}" for split in splits}}
    (folder / "set.yaml").write_text(yaml.safe_dump({"val": "images/train", **content}))
    return folder / "set.yaml"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The script's own run, in a working directory that is not the checkout's."""
    folder = tmp_path_factory.mktemp("work")
    file = data_yaml(folder, train=8, val=4, test=5)
    words = [f"{key}={value}" for key, value in {**SHORT, "split": "test"}.items()]
    return folder, train_det(folder, f"data={file}", *words, f"project={folder}/runs", "name=mine")


@pytest.mark.slow
def test_the_script_writes_weights_picture_and_onnx_and_says_where(ran):
    folder, done = ran
    assert done.returncode == 0, done.stderr
    run = folder / "runs" / "mine"
    report = dict(re.findall(r"^(Weights|Accuracy|Picture|ONNX) +(.*)$", done.stdout, re.MULTILINE))
    assert report["Weights"] == str(run / "weights" / "best.pt")
    assert re.fullmatch(r"mAP50 \d\.\d{3}, mAP50-95 \d\.\d{3} on 5 pictures \(test\)", report["Accuracy"])
    assert report["Picture"] == str(run / "detections.jpg")
    assert cv2.imread(report["Picture"]).shape == (2 * CELL, 4 * CELL, 3)
    assert report["ONNX"].startswith(f"{run / 'weights' / 'best.onnx'} (standard operators only, within ")
    assert (
        f"yolo-cot attention model={run / 'weights' / 'best.pt'} source={folder / 'set' / 'images' / 'test'}"
        in done.stdout
    )
    assert float(re.search(r"within ([\d.e-]+) of PyTorch", report["ONNX"])[1]) <= 1e-4


def test_the_script_trains_our_model_unless_told_otherwise(ran):
    folder, _ = ran
    model = YOLO(folder / "runs" / "mine" / "weights" / "best.pt").model
    assert [type(module).__name__ for module in model.model].count("CoTAttention") == 2
    arguments = yaml.safe_load((folder / "runs" / "mine" / "args.yaml").read_text())
    assert {key: arguments[key] for key in SHORT} == SHORT
    # The recipe belongs to the embedded set: here Ultralytics' own defaults stand.
    assert arguments["optimizer"] == "auto"
    assert arguments["mosaic"] == 1.0


def test_a_wrong_argument_ends_in_one_clear_sentence(tmp_path):
    done = train_det(tmp_path, "epoch=1")
    assert done.returncode == 1
    assert "python train_det.py has no argument 'epoch'. Did you mean 'epochs'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words, error, message",
    [
        (["save=False"], ValueError, r"The checkpoint is needed for validation and export; got save=False"),
        (
            ["model=yolo11n-seg.yaml"],
            ValueError,
            r"got a model for the task 'segment'\. Use  yolo-cot segment train",
        ),
        (["model=yolo11n-cto.yaml"], FileNotFoundError, r"yolo11n?-cto\.yaml"),
    ],
)
def test_what_cannot_be_trained_is_said_at_once(words, error, message):
    with pytest.raises(error, match=message):
        quickstart.run(read(quickstart.Arguments, words))


@pytest.mark.sweep
def test_without_arguments_the_embedded_set_is_learnt_within_five_minutes_of_one_core(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource", reason="processor time of a child process is not told on Windows")
    # Settings of its own, so that the data set is drawn below this folder and nowhere else.
    (tmp_path / "settings" / "Ultralytics").mkdir(parents=True)
    font = Path(os.environ["YOLO_CONFIG_DIR"]) / "Ultralytics" / "Arial.ttf"
    shutil.copy(font, tmp_path / "settings" / "Ultralytics")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = train_det(tmp_path, timeout=1800)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert (
        float(re.search(r"^Accuracy  mAP50 ([\d.]+), .* on 100 pictures \(test\)", done.stdout, re.MULTILINE)[1]) >= 0.6
    )
    # Processor time, which other programs' load changes least.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 300


def test_help_is_the_docstring(tmp_path):
    done = train_det(tmp_path, "--help")
    assert done.returncode == 0
    assert "python train_det.py model=" in done.stdout


def test_only_the_embedded_set_gets_its_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = read(quickstart.Arguments, ["epochs=3"])
    assert with_recipe(given.data, given.settings) == {**RECIPE, "epochs": 3}
    assert with_recipe(str(data_dir() / "shapes.yaml"), {})["lr0"] == RECIPE["lr0"]
    assert with_recipe("mine.yaml", {"lr0": 0.1}) == {"lr0": 0.1}


def test_without_onnx_the_training_is_kept_and_the_message_says_what_to_install(tmp_path, monkeypatch):
    found = quickstart.find_spec
    monkeypatch.setattr(quickstart, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    file = data_yaml(tmp_path, train=4)
    outcome = quickstart.run(given(data=file, project=tmp_path / "runs", imgsz=32))
    assert outcome.weights.is_file()
    assert outcome.picture.is_file()
    assert (outcome.split, outcome.images) == ("val", 4)
    assert not outcome.onnx.exists()
    assert 'onnxruntime is not installed. Run  pip install "yolo-cot[export]"' in str(outcome)
    assert f"yolo-cot export model={outcome.weights} format=onnx imgsz=32" in str(outcome)


def test_an_export_that_fails_is_told_after_where_the_weights_are(tmp_path, monkeypatch):
    def fail(*args):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(quickstart, "compare", fail)
    file = data_yaml(tmp_path, train=4)
    outcome = quickstart.run(given(data=file, project=tmp_path / "runs", imgsz=32))
    assert outcome.weights.is_file()
    assert str(outcome).startswith(f"Weights   {outcome.weights}\n")
    assert "\nONNX      failed: RuntimeError: no such operator\n" in str(outcome)


def test_an_onnx_file_that_differs_from_its_checkpoint_is_refused(ran, tmp_path):
    run = ran[0] / "runs" / "mine" / "weights"
    image = next((ran[0] / "set" / "images" / "test").iterdir())
    assert compare(run / "best.onnx", run / "best.pt", image, 64) <= 1e-4

    model = onnx.load(run / "best.onnx")
    # The last layer's bias of the classes alone: scores are small beside boxes in pixels, and must be compared too.
    bias = next(t for t in model.graph.initializer if re.search(r"cv3\.0\.2\.bias$", t.name))
    values = onnx.numpy_helper.to_array(bias) + np.float32(5)
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    onnx.save(model, tmp_path / "off.onnx")
    with pytest.raises(ValueError, match=r"off\.onnx must agree with PyTorch to 1e-04; its output is .* off"):
        compare(tmp_path / "off.onnx", run / "best.pt", image, 64)


def graph_file(path, *nodes, domain=""):
    """An ONNX file of the given nodes, one after the other."""
    names = ["x", *(f"v{i}" for i in range(len(nodes)))]
    made = [helper.make_node(op, [a], [b], domain=domain) for op, a, b in zip(nodes, names, names[1:])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (names[0], names[-1])]
    onnx.save(helper.make_model(helper.make_graph(made, "g", ends[:1], ends[1:])), path)
    return path


@pytest.mark.parametrize("op, domain, named", [("Col2Im", "", "Col2Im"), ("Relu", "mine", "mine::Relu")])
def test_col2im_and_custom_operators_are_refused(tmp_path, op, domain, named):
    file = graph_file(tmp_path / "bad.onnx", op, domain=domain)
    with pytest.raises(ValueError, match=rf"bad\.onnx must hold standard operators only; it holds {named}\."):
        compare(file, "unused.pt", "unused.png", 64)


def test_operators_of_subgraphs_are_found(tmp_path):
    inner = onnx.load(graph_file(tmp_path / "inner.onnx", "Relu", "Col2Im")).graph
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    ends = [helper.make_tensor_value_info(n, t, None) for n, t in (("c", TensorProto.BOOL), ("y", TensorProto.FLOAT))]
    onnx.save(helper.make_model(helper.make_graph([branch], "g", ends[:1], ends[1:])), tmp_path / "outer.onnx")
    assert operators(tmp_path / "outer.onnx") == {"If", "Relu", "Col2Im"}


def test_unreadable_pictures_and_empty_lists_are_named(tmp_path):
    with pytest.raises(ValueError, match="at least one picture; got none"):
        draw_detections(YOLO("yolo11n.yaml"), [], tmp_path / "sheet.jpg")
    for call in (
        lambda: draw_detections(YOLO("yolo11n.yaml"), [tmp_path / "no.png"], tmp_path / "sheet.jpg"),
        lambda: onnx_check.prepare(tmp_path / "no.png", 64),
    ):
        with pytest.raises(FileNotFoundError, match=r"no\.png cannot be read as one"):
            call()
