"""Each kind of block in a file of the user's through what a training is: epochs, ranks, tuning, resuming, an export.

The page's CBAM keeps its channels; Mixer changes them; C3k2Mine counts as C3k2.
"""

from __future__ import annotations

import re
import signal

import pytest
import yaml

from tests.entry_points import own_block, tiny, two_ranks
from tests.entry_points.test_own_block import KILLED, NO_CWD
from tests.entry_points.test_processes import needs_launch
from tests.processes import YOLO_COT, python

KINDS = tuple(own_block.ROWS)
# What the page's own tests show of CBAM is not run again.
OTHERS = KINDS[1:]
# How each is put into YOLO11, the tensors of the pretrained model that have a home, and those of the new one, for
# three classes: the last layers of the classes are the 6 that have none, and Mixer's convolution takes 6 away.
INTO_YOLO11 = {
    "CBAM": (["block=my_blocks.CBAM", "at=P5", "gate=0.0"], 493, 506),
    "Mixer": (["replace=7:my_blocks.Mixer"], 487, 505),
    "C3k2Mine": (["replace=C3k2:my_blocks.C3k2Mine"], 493, 499),
}
AGREES = """
import copy, sys
from pathlib import Path
import torch, yolo_cot
from ultralytics import YOLO
from tests.live import live, output, picture, wrong
from tests.runtimes import run
from tests.tolerances import distance
yolo, x = YOLO(sys.argv[1]), picture(96, 160)
model = live(yolo.model.float())
block = next(m for m in model.modules() if type(m).__name__ == sys.argv[2])
exported = copy.deepcopy(model)
exported.model[-1].export, exported.model[-1].format = True, "onnx"
wanted = output(exported, x)
with wrong(type(block), 1.1):
    seen = distance(output(model, x), wanted)
print("distance", distance(run("onnx", yolo, x, Path.cwd()), wanted), seen)
"""
# From the own block's checkpoint into the plain model and into one of this package's, compared by value.
BACK = """
import sys, torch, yolo_cot
from ultralytics import YOLO
yolo = YOLO(sys.argv[1])
old = yolo.model.float().state_dict()
for name in ("yolo11n.yaml", "yolo11n-cot.yaml"):
    new = YOLO(name)
    new.model = type(yolo.model)(name, nc=3, verbose=False)
    new.load(sys.argv[1])
    state = new.model.state_dict()
    equal = 0
    for key, value in old.items():
        _, number, rest = key.split(".", 2)
        for shift in (-1, 0, 1, 2):
            other = state.get(f"model.{int(number) + shift}.{rest}")
            if other is not None and other.shape == value.shape and torch.equal(other, value):
                equal += 1
                break
    print("equal", name, equal)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_on_blood_cells_with_pretrained_weights_and_its_export(kind, shared, tmp_path):
    own_block.place(tmp_path, kind=kind)
    change, moved, total = INTO_YOLO11[kind]
    python(YOLO_COT, "insert", "base=yolo11.yaml", *change, "out=yolo11-own.yaml", cwd=tmp_path, **NO_CWD)
    words = tiny.arguments(tmp_path, model="yolo11n-own.yaml", data=shared / "data/bccd/bccd.yaml", batch=16)
    words += [f"pretrained={shared / 'data/weights/yolo11n-coco-approx.pt'}", "fraction=0.1"]
    done = python(YOLO_COT, "train", *words, cwd=tmp_path, timeout=900, **NO_CWD)
    said = done.stdout + done.stderr
    assert f"Transferred {moved}/{total} items" in said
    if kind == "CBAM":
        assert "New: 7 tensors of CBAM, row 11: the pretrained model has no such row" in said
        assert (tmp_path / "runs/t/gates.csv").read_text().startswith("epoch,11.CBAM/abs")
    assert len((tmp_path / "runs/t/results.csv").read_text().splitlines()) == 2
    best = tmp_path / "runs/t/weights/best.pt"

    done = python(BACK, best, cwd=tmp_path)
    into_ours = {"CBAM": 499, "Mixer": 493, "C3k2Mine": 499}[kind]
    assert re.findall(r"equal (\S+) (\d+)", done.stdout) == [
        ("yolo11n.yaml", str(into_ours)), ("yolo11n-cot.yaml", str(into_ours)),
    ]  # fmt: skip
    assert f"Transferred {into_ours}/499 items" in done.stdout + done.stderr

    done = python(AGREES, best, kind, cwd=tmp_path)
    distance, seen = map(float, re.search(r"distance (\S+) (\S+)", done.stdout).groups())
    assert distance < 1e-4
    assert seen > 1e-3


@pytest.mark.slow
@needs_launch
@pytest.mark.parametrize("kind", OTHERS)
def test_two_ranks_know_it(kind, tmp_path):
    done = two_ranks.train(tmp_path, str(own_block.place(tmp_path / "there", kind=kind)))
    assert done.returncode == 0, done.stderr
    assert {f"rank {n} of 2 on gloo" in done.stdout for n in (0, 1)} == {True}
    assert (tmp_path / "runs/t/weights/last.pt").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_tuning_knows_it(kind, tmp_path):
    mine, data = own_block.place(tmp_path / "there", kind=kind), tiny.data(tmp_path / "d")
    code = f"""
import yolo_cot
from ultralytics import YOLO
YOLO({str(mine)!r}).tune(data={str(data)!r}, iterations=1, epochs=1, imgsz=64, batch=4, device="cpu", workers=0,
                         plots=False, amp=False, project={str(tmp_path / "r")!r})
"""
    done = python(code, cwd=tmp_path, status=None)
    assert list(tmp_path.rglob("best.pt")), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHERS)
def test_a_killed_run_goes_on(kind, tmp_path):
    mine, data = own_block.place(tmp_path / "there", kind=kind), tiny.data(tmp_path / "d")
    python(KILLED, mine, data, tmp_path / "runs", status=-signal.SIGKILL, cwd=tmp_path)
    last = tmp_path / "runs" / "t" / "weights" / "last.pt"
    python(YOLO_COT, "train", "resume", f"model={last}", cwd=tmp_path / "there", **NO_CWD)
    assert len((tmp_path / "runs/t/results.csv").read_text().strip().splitlines()) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, control", [("Mixer", [-1, 1, "Conv", [128]]), ("C3k2Mine", [-1, 1, "C3k2", [128, False, 0.5]])]
)
def test_an_ablation_compares_it_with_plain_and_with_controls(kind, control, tmp_path):
    own_block.place(tmp_path, kind=kind)
    words = ["models=yolo11n-plain.yaml,yolo11n-mine.yaml", "seeds=2", "any_budget=True", "project=runs/ablate"]
    words += [f"data={tiny.data(tmp_path / 'd')}", "epochs=1", "imgsz=32", "batch=8", "workers=0", "device=cpu"]
    python(YOLO_COT, "ablate", *words, "amp=False", "plots=False", cwd=tmp_path, timeout=900, **NO_CWD)
    folder = tmp_path / "runs/ablate"
    models = {path.stem: yaml.safe_load(path.read_text()) for path in (folder / "models").glob("*.yaml")}
    assert models["yolo11n-mine-as-conv"]["backbone"][4] == control
    assert "blocks" not in models["yolo11n-mine-as-conv"]
    runs = {path.parent.name for path in folder.rglob("result.json")}
    assert runs == {f"{name}-seed{seed}" for name in models for seed in (0, 1)}
    report = (folder / "report.md").read_text()
    assert all(name in report for name in models)
