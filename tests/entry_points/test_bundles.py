"""Bundles: the same model without a pickle, whole or not at all, and nothing that one says is executed."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.nn.tasks import DetectionModel

from tests.conftest import ROOT
from tests.entry_points import tiny
from tests.entry_points.test_checkpoints import KEPT, features
from tests.live import live, output, picture
from tests.processes import YOLO as PLAIN
from tests.processes import here, python
from yolo_cot.plugin.bundle import read, write
from yolo_cot.plugin.bundle.about_yaml import check_about


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write(KEPT, tmp_path_factory.mktemp("b") / "kept.bundle")


def changed(bundle, tmp_path, name, **edits):
    """A copy of the bundle in which a YAML says something else."""
    copy = shutil.copytree(bundle, tmp_path / "changed.bundle", dirs_exist_ok=True)
    content = yaml.safe_load((copy / name).read_text())
    (copy / name).write_text(yaml.safe_dump({**content, **edits}))
    return copy


def saved(model, file, **train_args):
    """A checkpoint of Ultralytics' layout."""
    torch.save({"model": model, "train_args": {"task": "detect", **train_args}, "version": "8.4.0"}, file)
    return file


def test_a_bundle_gives_the_same_output_and_holds_no_pickle(bundle):
    assert sorted(p.name for p in bundle.iterdir()) == ["about.yaml", "model.yaml", "weights.safetensors"]
    opened, kept = YOLO(str(bundle)), YOLO(KEPT)
    assert all(torch.equal(a, b) for a, b in zip(opened.model.state_dict().values(), kept.model.state_dict().values()))
    assert torch.equal(features(opened.model), features(kept.model))
    assert opened.names == kept.names
    assert opened.task == "detect"
    assert torch.equal(opened.model.stride, kept.model.stride)
    about = yaml.safe_load((bundle / "about.yaml").read_text())
    assert set(about["versions"]) == {"yolo_cot", "ultralytics", "torch"}


def test_a_bundle_predicts_validates_trains_and_exports(bundle, tmp_path):
    data = tiny.data(tmp_path / "d")
    common = [f"project={tmp_path}", "imgsz=64", "device=cpu", "exist_ok=True"]
    source = f"source={tmp_path / 'd/val/images'}"
    here("predict", f"model={bundle}", source, *common, "save=True", "name=p")
    assert len(list((tmp_path / "p").iterdir())) == 4
    here("val", f"model={bundle}", f"data={data}", *common, "workers=0", "plots=False")
    done = here("train", f"model={bundle}", *tiny.arguments(tmp_path, data=data))
    assert "Transferred" in done.stdout + done.stderr
    assert (tmp_path / "runs/t/weights/best.pt").is_file()


def test_the_command_writes_a_bundle(tmp_path):
    said = here("bundle", KEPT, f"out={tmp_path / 'x.bundle'}").stdout
    assert f"Wrote {tmp_path / 'x.bundle'}" in said
    assert (tmp_path / "x.bundle" / "weights.safetensors").is_file()
    assert "yolo-cot: A bundle is made from a checkpoint" in here("bundle", "no.pt", status=1).stderr


def test_a_model_is_loaded_from_a_bundle_as_from_a_checkpoint(bundle, tmp_path):
    kept = YOLO(KEPT).model.state_dict()
    config = {**yaml.safe_load((bundle / "model.yaml").read_text()), "yaml_file": "mine.yaml"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    model = YOLO(tmp_path / "mine.yaml").load(str(bundle))
    assert all(torch.equal(value.float(), kept[name].float()) for name, value in model.model.state_dict().items())
    data = tiny.data(tmp_path / "d")
    words = tiny.arguments(tmp_path, data=data, model=tmp_path / "mine.yaml", pretrained=bundle)
    done = here("train", *words)
    assert f"Transferred {len(kept)}/{len(kept)} items" in done.stdout + done.stderr


def three_classes():
    """yolo11n fine-tuned from 80 classes to 3, as `load` leaves it: with the class branch of 80 where it does that."""
    model = DetectionModel("yolo11n-cot.yaml", nc=3, verbose=False)
    model.load(DetectionModel("yolo11n.yaml", verbose=False), verbose=False)
    model.names = {0: "a", 1: "b", 2: "c"}
    return live(model)


def test_a_model_that_was_trained_for_other_classes_comes_back_exactly(tmp_path):
    model = three_classes()
    opened = read(write(saved(model, tmp_path / "m.pt")))
    assert torch.equal(output(opened, picture(64, 64)), output(model, picture(64, 64)))
    assert {k: v.shape for k, v in opened.state_dict().items()} == {k: v.shape for k, v in model.state_dict().items()}
    assert opened.names == {0: "a", 1: "b", 2: "c"}


def test_a_good_bundle_stays_when_the_new_one_is_refused(bundle, tmp_path):
    good = shutil.copytree(bundle, tmp_path / "m.bundle")
    before = {p.name: p.read_bytes() for p in good.iterdir()}
    stored = torch.load(KEPT, weights_only=False)
    stored["model"].yaml["backbone"][2][3][0] = 24
    torch.save(stored, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=r"m.pt, written with Ultralytics 8.3.200, is not a model that a bundle holds"):
        write(tmp_path / "m.pt")
    assert {p.name: p.read_bytes() for p in good.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.bundle", "m.pt"]


def test_a_good_bundle_stays_when_the_new_one_cannot_take_its_name(bundle, tmp_path, monkeypatch):
    good = shutil.copytree(bundle, tmp_path / "m.bundle")
    before = {p.name: p.read_bytes() for p in good.iterdir()}
    rename = Path.rename

    def fail(path, target):
        if path.parent.name.startswith(".m-") and path.name == "m.bundle":
            raise PermissionError("something has the folder open")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PermissionError):
        write(KEPT, good)
    assert {p.name: p.read_bytes() for p in good.iterdir()} == before


def test_a_model_that_computes_something_else_than_its_yaml_says_is_refused(tmp_path):
    stored = torch.load(KEPT, weights_only=False)
    stored["model"].model[0].act = torch.nn.ReLU()
    torch.save(stored, tmp_path / "m.pt")
    with pytest.raises(
        ValueError, match=r"m.pt, written with .*, gives another output than the model that Ultralytics"
    ):
        write(tmp_path / "m.pt")
    assert not (tmp_path / "m.bundle").exists()


def test_a_bundle_that_is_killed_while_it_is_written_is_not_there(tmp_path):
    code = f"""
import os, signal, yolo_cot
from yolo_cot.plugin.bundle import write as module, write
import importlib
module = importlib.import_module("yolo_cot.plugin.bundle.write")
module.read = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
module.write({str(KEPT)!r}, {str(tmp_path / "x.bundle")!r})
"""
    python(code, status=-signal.SIGKILL)
    assert not (tmp_path / "x.bundle").exists()
    write(KEPT, tmp_path / "x.bundle")
    assert read(tmp_path / "x.bundle")


def test_another_folder_of_that_name_is_kept(tmp_path):
    (tmp_path / "x.bundle").mkdir()
    (tmp_path / "x.bundle" / "thesis.txt").write_text("all of it")
    with pytest.raises(ValueError, match=r"x\.bundle is there and is no bundle; it is kept"):
        write(KEPT, tmp_path / "x.bundle")
    assert (tmp_path / "x.bundle" / "thesis.txt").read_text() == "all of it"


@pytest.fixture
def evil(tmp_path):
    """Python that leaves a file, and where."""
    file = tmp_path / "it ran"
    return f"open({str(file)!r}, 'w').close()", file


INNER = {"nc": 1, "backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": [[[0], 1, "Detect", ["nc"]]]}


def test_a_model_class_as_a_row_runs_nothing(bundle, tmp_path, evil):
    code, file = evil
    row = [-1, 1, "DetectionModel", [{**INNER, "activation": code}]]
    head = yaml.safe_load((bundle / "model.yaml").read_text())["head"]
    with pytest.raises(ValueError, match="names 'DetectionModel', no layer that a bundle may hold; nothing was built"):
        read(changed(bundle, tmp_path, "model.yaml", head=[row, *head]))
    assert not file.exists()


@pytest.mark.parametrize("text", ["{code}", "nn.SiLU() if {code} else 0", "nn.Sequential.__class__.mro(nn.SiLU)"])
def test_an_activation_runs_nothing(bundle, tmp_path, evil, text):
    code, file = evil
    with pytest.raises(ValueError, match=r"has the activation .* a class of torch.nn, with numbers for arguments"):
        read(changed(bundle, tmp_path, "model.yaml", activation=text.format(code=code)))
    assert not file.exists()


def test_the_activations_that_models_have_are_taken_and_not_evaluated(tmp_path, monkeypatch):
    config = {**yaml.safe_load(tiny.MODEL), "activation": "nn.LeakyReLU(0.1)"}
    model = DetectionModel(config, verbose=False).eval()
    before = type(DetectionModel(yaml.safe_load(tiny.MODEL), verbose=False).model[0].act)
    written = write(saved(model, tmp_path / "m.pt"))
    monkeypatch.setattr(tasks, "eval", lambda *_: pytest.fail("evaluated"), raising=False)  # ahead of Python's own
    opened = read(written)
    monkeypatch.undo()
    assert type(opened.model[0].act) is torch.nn.LeakyReLU
    assert opened.model[0].act.negative_slope == 0.1
    assert opened.yaml["activation"] == "nn.LeakyReLU(0.1)"
    assert type(DetectionModel(yaml.safe_load(tiny.MODEL), verbose=False).model[0].act) is before


def test_the_data_set_that_a_bundle_names_is_not_used(bundle, tmp_path, evil):
    code, file = evil
    hostile = tmp_path / "data.yaml"
    hostile.write_text(f"path: {tmp_path}\ntrain: gone\nval: gone\nnames: {{0: a, 1: b}}\ndownload: |\n  {code}\n")
    copy = changed(bundle, tmp_path, "about.yaml", train_args={"task": "detect", "imgsz": 64, "data": str(hostile)})
    model = YOLO(str(copy))
    assert str(hostile) not in str({**model.overrides, **vars(model.model).get("args", {})})
    with pytest.raises(Exception, match=r"[Dd]ataset|Download failure"):
        model.val(workers=0, device="cpu", plots=False)
    assert not file.exists()
    # So that the test can fail: named by the user, the script runs.
    with pytest.raises(Exception, match=r"[\s\S]"):
        model.val(data=str(hostile), workers=0, device="cpu", plots=False)
    assert file.exists()


def test_of_a_bundles_description_nothing_is_taken_but_what_builds_the_model(bundle):
    about = yaml.safe_load((bundle / "about.yaml").read_text())
    about["train_args"] = {"data": "evil.yaml", "cfg": "x", "imgsz": 64}
    taken = check_about(bundle / "about.yaml", {**about, "data": "evil.yaml"}, len(about["names"]))
    assert set(taken) == {"task", "names", "channels", "class_branch", "imgsz"}


def weights(folder, **edits):
    state = load_file(folder / "weights.safetensors")
    save_file({**state, **edits}, folder / "weights.safetensors")


def no_file(folder):
    (folder / "weights.safetensors").write_bytes(b"no")


def nan(folder):
    weights(folder, **{"model.0.conv.weight": torch.full((8, 3, 3, 3), float("nan"))})


def other_shape(folder):
    weights(folder, **{"model.0.conv.weight": torch.zeros(8, 3, 5, 5)})


def link(folder):
    (folder / "weights.safetensors").rename(folder.with_suffix(".there"))
    (folder / "weights.safetensors").symlink_to(folder.with_suffix(".there"))


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


@pytest.mark.parametrize(
    "edit, message",
    [
        (no_file, "weights.safetensors is no file of safetensors"),
        (nan, "has values in model.0.conv.weight that are not finite numbers"),
        (other_shape, r"do not fit its model.yaml: model.0.conv.weight: \(8, 3, 5, 5\) stored, \(8, 3, 3, 3\) in the"),
        (link, "weights.safetensors is a link to another place"),
        (text("model.yaml", "a: &x [1]\nb: *x\n"), r"model.yaml is no YAML of plain values: it has an alias"),
        (text("model.yaml", "a: " + "[" * 50 + "]" * 50), "it is nested more than 16 deep"),
        (text("model.yaml", "a: " + "x" * 2_000_000), "has 2000003 bytes; a bundle's YAML has 1048576 at most"),
        (
            text("model.yaml", "!!python/object/apply:os.system ['true']"),
            "of plain values: could not determine",
        ),
        (text("model.yaml", "a: " + "9" * 5000), "is no YAML of plain values"),
        (text("model.yaml", "a: " + "9" * 400), "model.yaml is no YAML of plain values: it has a whole number of 1329"),
        (text("about.yaml", "channels: 0x" + "f" * 5000), "about.yaml is no YAML .*: it has a whole number of 20000 b"),
        (text("about.yaml", "\x00"), "about.yaml is no YAML of plain values"),
        (text("about.yaml", "[]"), "needs a task of detect"),
    ],
)
def test_a_broken_bundle_ends_in_one_sentence(bundle, tmp_path, edit, message):
    copy = shutil.copytree(bundle, tmp_path / "x.bundle")
    edit(copy)
    with pytest.raises(ValueError, match=message) as caught:
        read(copy)
    assert "\n" not in str(caught.value)


ESCAPE = "\x1b]0;title\x07\x1b[31m\u202e\n"


@pytest.mark.parametrize(
    "name, edits",
    [
        ("model.yaml", {"blocks": ESCAPE}),
        ("model.yaml", {ESCAPE: 1}),
        ("model.yaml", {"scale": [ESCAPE]}),
        ("model.yaml", {"head": [[ESCAPE, 1, "Conv", [8]]]}),
        ("model.yaml", {"head": [[-1, ESCAPE, "Conv", [8]]]}),
        ("model.yaml", {"head": [[-1, 1, ESCAPE, [8]]]}),
        ("about.yaml", {"channels": ESCAPE}),
        ("about.yaml", {"class_branch": ESCAPE}),
        ("about.yaml", {"names": {0: "a", 1: ESCAPE}}),
    ],
)
def test_a_bundle_says_nothing_that_a_terminal_would_act_on(bundle, tmp_path, name, edits):
    with pytest.raises(ValueError, match=r"(model|about)\.yaml") as caught:
        read(changed(bundle, tmp_path, name, **edits))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name, edits, message",
    [
        ("model.yaml", {"head": [[-1, 1, "check_requirements", ["x"]]]}, "names 'check_requirements', no layer that"),
        ("model.yaml", {"head": [[-1, 1, "TorchVision", ["resnet18"]]]}, "names 'TorchVision', no layer that"),
        ("model.yaml", {"head": ["x"]}, r"row 4 must be \[from, repeats, module, \[arguments\]\]"),
        ("model.yaml", {"head": [[-1, 1, "Conv", ["os.system"]], [-1, 1, "Detect", ["nc"]]]}, "not all literals"),
        ("model.yaml", {"head": [[-1, 10**9, "Conv", [8]], [-1, 1, "Detect", ["nc"]]]}, "has 1000000000 repeats"),
        ("model.yaml", {"head": [[99, 1, "Detect", ["nc"]]]}, "reads 99, which is no number of a row above"),
        ("model.yaml", {"head": [[-1, 1, "Conv", [8]]]}, "its last row, and only that, is a head"),
        ("model.yaml", {"head": [[-1, 1, "nn.Upsample", [None, 4096]], [[-1], 1, "Detect", ["nc"]]]}, "gives a map of"),
        ("model.yaml", {"blocks": ["mine.Block"]}, "names blocks of the user's, .*; a bundle runs no code"),
        ("model.yaml", {"loss": "x"}, "has the key 'loss', which no model is built from"),
        ("model.yaml", {"nc": 7}, "needs names for the classes 0 to 6"),
        ("model.yaml", {"scales": {"n": [1e308, 1, 1]}}, "has scales: .*, which is no value for it"),
        ("about.yaml", {"task": "run"}, "needs a task of detect"),
        ("about.yaml", {"task": ["detect"]}, "needs a task of detect"),
        ("about.yaml", {"task": "pose"}, "describes a DetectionModel, which is not one for pose"),
        ("about.yaml", {"channels": 4}, "The weights of .* do not fit its model.yaml"),
        ("about.yaml", {"class_branch": -1}, "has class_branch: -1"),
        ("about.yaml", {"names": {0: "a", 1: ["b"]}}, "has a class name that is no text"),
    ],
)
def test_a_bundle_that_says_more_than_a_model_is_refused(bundle, tmp_path, name, edits, message):
    with pytest.raises(ValueError, match=message):
        read(changed(bundle, tmp_path, name, **edits))


def test_a_bundle_with_a_file_missing_is_told(bundle, tmp_path):
    copy = changed(bundle, tmp_path, "about.yaml")
    (copy / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no weights.safetensors"):
        YOLO(str(copy))
    with pytest.raises(ValueError, match=r"A bundle's name ends in .bundle"):
        write(KEPT, tmp_path / "name")


def test_a_plain_yolo_says_that_it_cannot_open_a_bundle_rather_than_nothing(bundle):
    assert python(PLAIN, "predict", f"model={bundle}", "imgsz=64", status=1).stderr


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_hostile_bundle_runs_anything_and_each_ends_in_one_sentence(count):
    code = "import sys; from tests.entry_points.bundle_fuzz import main; main(int(sys.argv[1]))"
    ends = json.loads(python(code, count, cwd=ROOT, timeout=900).stdout.partition("ends: ")[2])
    assert sum(ends.values()) >= count
    assert len(ends) > 20
    assert ends["opened"] < count / 2
