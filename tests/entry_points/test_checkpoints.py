"""Checkpoints: restricted loading, a machine without the package, a file that must load for ever."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn import tasks

from tests.live import WRONG, blocks_of, wrong
from tests.processes import python
from tests.tolerances import distance
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


def features(model: torch.nn.Module) -> torch.Tensor:
    """What the head of the kept model reads while it trains, where batch norm normalizes by what it sees.

    In evaluation two epochs of training have left a model whose boxes hardly depend on the image.
    """
    x = image()
    x = torch.cat([x, (40 * x).sin().abs(), (97 * x.transpose(2, 3)).cos().abs()])
    with torch.no_grad():
        for layer in model.float().train().model[:-1]:
            x = layer(x)
    return x[:, ::3, ::5, ::5]


def test_the_kept_checkpoint_computes_what_it_computed_in_version_0_1():
    kept = torch.tensor(json.loads(KEPT.with_suffix(".json").read_text())["features"])
    assert distance(features(YOLO(KEPT).model), kept) < 1e-4
    for block in blocks_of(YOLO(KEPT).model):
        with wrong(block, WRONG):
            assert distance(features(YOLO(KEPT).model), kept) > 1e-3


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
