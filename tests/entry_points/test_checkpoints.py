"""Checkpoints: restricted loading, a machine without the package, a file that must load for ever, and bundles."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
import yaml
from ultralytics import YOLO
from ultralytics.nn import tasks

from tests.processes import YOLO as PLAIN
from tests.processes import YOLO_COT, python
from yolo_cot.plugin.bundle import read, write
from yolo_cot.plugin.catalog import BLOCKS, own_classes

KEPT = Path(__file__).resolve().parents[1] / "data" / "tiny-checkpoint.pt"
restricted = pytest.mark.skipif(
    not hasattr(tasks, "_SafeLoad"), reason="this release of Ultralytics has no restricted loading"
)


def image() -> torch.Tensor:
    return torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)


def test_the_kept_checkpoint_loads_and_gives_what_it_gave():
    model = YOLO(KEPT).model
    assert {type(m).__name__ for m in model.modules()} >= set(BLOCKS) & {
        "CoTAttention",
        "OutlookAttention",
        "C3k2CoT",
        "C3k2Outlook",
    }
    with torch.no_grad():
        output = model(image())[0]
    kept = json.loads(KEPT.with_suffix(".json").read_text())
    assert list(output.shape) == kept["shape"]
    assert torch.allclose(output[0, :, ::8], torch.tensor(kept["values"]), rtol=1e-4, atol=1e-4)
    assert KEPT.stat().st_size < 300_000


def test_the_class_paths_of_the_kept_checkpoint_are_those_of_today():
    import zipfile

    with zipfile.ZipFile(KEPT) as archive:
        text = archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))
    paths = {f"{c.__module__}\n{c.__name__}" for c in own_classes()}
    named = {word for word in paths if word.encode().replace(b"\n", b" ") in text.replace(b"\n", b" ")}
    assert len(named) >= 4


@restricted
@pytest.mark.parametrize(
    "config",
    [
        "yolo11n-cot-outlook",
        pytest.param("yolo11n-c3k2cot", marks=pytest.mark.slow),
        pytest.param("yolo11n-c3k2outlook", marks=pytest.mark.slow),
    ],
)
def test_restricted_loading_takes_our_classes(config, tmp_path):
    model = YOLO(f"{config}.yaml").model
    torch.save({"model": model.half(), "train_args": {"task": "detect"}}, tmp_path / "m.pt")
    code = f"import yolo_cot\nfrom ultralytics import YOLO\nprint(YOLO({str(tmp_path / 'm.pt')!r}).model.yaml['nc'])"
    assert python(code, ULTRALYTICS_SAFE_LOAD="1").stdout.strip().endswith("80")
    without = code.replace("import yolo_cot", "import yolo_cot\nyolo_cot.uninstall()")
    assert (
        "outside the supported Ultralytics checkpoint format"
        in python(without, status=1, ULTRALYTICS_SAFE_LOAD="1").stderr
    )


@restricted
def test_restricted_loading_refuses_a_hostile_pickle_as_before(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (print, ("the pickle ran",))

    torch.save({"model": Hostile(), "train_args": {}}, tmp_path / "m.pt", pickle_module=pickle)
    code = f"import yolo_cot\nfrom ultralytics import YOLO\nYOLO({str(tmp_path / 'm.pt')!r})"
    done = python(code, status=1, ULTRALYTICS_SAFE_LOAD="1")
    assert "the pickle ran" not in done.stdout
    assert "the pickle ran" in python(code, status=1).stdout  # so that the test can fail


def test_only_our_module_classes_are_allowed():
    import yolo_cot

    ours = own_classes()
    assert {BLOCKS[name].cls for name in BLOCKS} <= set(ours)
    yolo_cot.uninstall()
    before = set(map(str, torch.serialization.get_safe_globals()))
    yolo_cot.install()
    added = set(map(str, torch.serialization.get_safe_globals())) - before
    assert added == set(map(str, ours))


def test_without_the_package_ultralytics_names_what_to_install():
    hide = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "yolo_cot":
            raise ModuleNotFoundError("No module named 'yolo_cot'", name="yolo_cot")
sys.meta_path.insert(0, Hidden())
sys.argv = ["yolo", "predict", "model=" + sys.argv[1]]
from ultralytics.cfg import entrypoint
entrypoint()
"""
    done = python(hide, KEPT, status=1)
    assert "appears to require 'yolo_cot', which is not in Ultralytics requirements" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write(KEPT, tmp_path_factory.mktemp("b") / "kept.bundle")


def test_a_bundle_gives_the_same_output_and_holds_no_pickle(bundle):
    assert sorted(p.name for p in bundle.iterdir()) == ["about.yaml", "model.yaml", "weights.safetensors"]
    opened, kept = YOLO(str(bundle)), YOLO(KEPT)
    with torch.no_grad():
        assert torch.equal(opened.model(image())[0], kept.model(image())[0])
    assert opened.names == kept.names
    assert opened.task == "detect"
    assert torch.equal(opened.model.stride, kept.model.stride)
    about = yaml.safe_load((bundle / "about.yaml").read_text())
    assert set(about["versions"]) == {"yolo_cot", "ultralytics", "torch"}


def test_a_bundle_predicts_validates_trains_and_exports(bundle, tmp_path):
    from tests.entry_points import tiny

    data = tiny.data(tmp_path / "d")
    common = [f"project={tmp_path}", "imgsz=64", "device=cpu", "exist_ok=True"]
    python(
        YOLO_COT, "predict", f"model={bundle}", f"source={tmp_path / 'd/val/images'}", *common, "save=True", "name=p"
    )
    assert len(list((tmp_path / "p").iterdir())) == 4
    python(YOLO_COT, "val", f"model={bundle}", f"data={data}", *common, "workers=0", "plots=False")
    done = python(YOLO_COT, "train", f"model={bundle}", *tiny.arguments(tmp_path, data=data))
    assert "Transferred" in done.stdout + done.stderr
    assert (tmp_path / "runs/t/weights/best.pt").is_file()


def test_the_command_writes_a_bundle(tmp_path):
    said = python(YOLO_COT, "bundle", KEPT, f"out={tmp_path / 'x.bundle'}").stdout
    assert f"Wrote {tmp_path / 'x.bundle'}" in said
    assert (tmp_path / "x.bundle" / "weights.safetensors").is_file()
    assert "yolo-cot: A bundle is made from a checkpoint" in python(YOLO_COT, "bundle", "no.pt", status=1).stderr
    assert "takes model= and out=; got size" in python(YOLO_COT, "bundle", KEPT, "size=1", status=1).stderr
    assert "needs a checkpoint" in python(YOLO_COT, "bundle", status=1).stderr


def changed(bundle, tmp_path, name, **edits):
    """A copy of the bundle in which a YAML says something else."""
    import shutil

    copy = shutil.copytree(bundle, tmp_path / "changed.bundle")
    content = yaml.safe_load((copy / name).read_text())
    (copy / name).write_text(yaml.safe_dump({**content, **edits}))
    return copy


@pytest.mark.parametrize(
    "name, edits, message",
    [
        ("model.yaml", {"activation": "__import__('os').system('true')"}, "has the activation .* which is no layer"),
        (
            "model.yaml",
            {"head": [[-1, 1, "check_requirements", ["x"]]]},
            "names 'check_requirements', which is no layer",
        ),
        ("model.yaml", {"head": ["x"]}, "names '', which is no layer"),
        ("model.yaml", {"nc": 7}, "The weights of .* do not fit its model.yaml"),
        ("about.yaml", {"task": "run"}, "needs a task of detect"),
    ],
)
def test_a_hostile_or_broken_bundle_is_refused(bundle, tmp_path, name, edits, message):
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


def test_a_checkpoint_that_this_ultralytics_would_build_otherwise_is_refused(tmp_path):
    stored = torch.load(KEPT, weights_only=False)
    stored["model"].yaml["backbone"][2][3][0] = 24
    torch.save(stored, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=r"m.pt, written with Ultralytics 8.3.200, is not the model that Ultralytics"):
        write(tmp_path / "m.pt")
