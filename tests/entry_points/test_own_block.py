"""A block in a file of the user's travels: into every process and command, from a YAML that names it."""

from __future__ import annotations

import os
import re
import shutil
import signal

import pytest
from ultralytics.utils import USER_CONFIG_DIR

from tests.docs.pages import blocks, shortened
from tests.entry_points import own_block, tiny, two_ranks
from tests.entry_points.test_processes import needs_launch, needs_ray, ray_tune
from tests.processes import YOLO, YOLO_COT, python

# A console script does not have the working folder on Python's path, which `python -c` has.
NO_CWD = {"PYTHONSAFEPATH": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's working folder, with settings of its own: runs go into it."""
    place = own_block.working_folder(tmp_path_factory.mktemp("own"))
    (place / "settings" / "Ultralytics").mkdir(parents=True)
    shutil.copy(USER_CONFIG_DIR / "Arial.ttf", place / "settings" / "Ultralytics")
    return place


def run(folder, *words, status=0):
    """Run `yolo-cot` in the page's folder; returns what it said."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)  # Ultralytics saves elsewhere while it sees a test running
    done = python(YOLO_COT, *words, cwd=folder, status=status, YOLO_CONFIG_DIR=str(folder / "settings"), **NO_CWD)
    return done.stdout + done.stderr


# One epoch moves a gate hardly, and batch norm knows nothing yet: opened and measured again, the block is seen.
LIVE = """
import sys, torch, yolo_cot
stored = torch.load(sys.argv[1], weights_only=False)
model = (stored["ema"] or stored["model"]).float().train()
model.model[11].gamma.data.fill_(0.5)
for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
    norm.reset_running_stats()
    norm.momentum = None
with torch.no_grad():
    for _ in range(2):
        model(torch.rand(4, 3, 64, 64))
torch.save({**stored, "ema": None, "model": model.eval()}, sys.argv[1])
"""
AGREES = """
import sys, torch, onnxruntime
import yolo_cot
from ultralytics import YOLO
model = YOLO(sys.argv[1]).model.float().eval()
session = onnxruntime.InferenceSession(sys.argv[1].replace(".pt", ".onnx"), providers=["CPUExecutionProvider"])
x = torch.rand(1, 3, 64, 64)
got = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
with torch.no_grad():
    want = model(x)[0]
    next(m for m in model.modules() if type(m).__name__ == "CBAM").spatial.bias.fill_(-9.0)
    other = model(x)[0]
scale = want.abs().max()
print("distance", float((got - want).abs().max() / scale), float((other - want).abs().max() / scale))
"""


@pytest.mark.slow
def test_the_page_works_as_it_stands(folder):
    """Every command of the page but the comparison, in its order, each in a process of its own."""
    page = own_block.PAGE.read_text(encoding="utf-8")
    commands = [words for block in blocks(page) if block.language == "bash" for words in block.lines()]
    (folder / "yolo11-cbam.yaml").unlink(missing_ok=True)  # another test may have come first
    assert [words[1] for words in commands] == ["insert", "lint", "show", "train", "export", "predict", "ablate"]
    said = {words[1]: run(folder, *shortened(words)[1:]) for words in commands[:-1]}
    assert "Row 11: CBAM after C2PSA" in said["insert"]
    assert "yolo11-cbam.yaml: clean" in said["lint"]
    assert re.search(r"\+11 .* CBAM", said["show"])
    # All but the class layer, whose number of classes is another.
    moved = re.search(r"Transferred (\d+)/(\d+) items", said["train"])
    assert (int(moved[1]), int(moved[2])) == (499 - 6, 506)
    assert "New: 7 tensors of CBAM, row 11: the pretrained model has no such row" in said["train"]
    trained = folder / "runs/detect/cbam"
    assert (trained / "gates.csv").read_text().startswith("epoch,11.CBAM/abs,11.CBAM/mean")
    assert len(list((folder / "runs/detect/predict").iterdir())) == 2
    python(LIVE, trained / "weights/best.pt", cwd=folder)
    run(folder, "export", f"model={trained / 'weights/best.pt'}", "format=onnx", "imgsz=64", "device=cpu")
    done = python(AGREES, trained / "weights/best.pt", cwd=folder)
    distance, block = map(float, re.search(r"distance (\S+) (\S+)", done.stdout).groups())
    assert distance < 1e-4
    assert block > 10 * distance


@pytest.mark.slow
def test_all_499_tensors_of_the_plain_model_move(folder):
    run(folder, "insert", "base=yolo11.yaml", "block=my_blocks.CBAM", "at=P5", "out=yolo11-80.yaml")
    code = "import yolo_cot; from ultralytics import YOLO; YOLO('yolo11n-80.yaml').load('yolo11n.pt')"
    assert "Transferred 499/505 items" in python(code, cwd=folder).stdout


def test_a_bare_yolo_and_the_plain_command_know_it(tmp_path):
    from yolo_cot.plugin.startup.line import line

    mine = own_block.place(tmp_path / "there")
    code = "import sys, yolo_cot; from ultralytics import YOLO; print(YOLO(sys.argv[1]).model.model[4].block)"
    # From another folder: the file is found beside the YAML.
    assert "CBAM(" in python(code, mine, cwd=tmp_path).stdout
    words = ["export", f"model={mine}", "format=torchscript", "imgsz=32", "device=cpu"]
    python(f"{line()}\n{YOLO}", *words, cwd=tmp_path)
    assert (tmp_path / "there" / "yolo11n-mine.torchscript").is_file() or list(tmp_path.rglob("*.torchscript"))


@pytest.mark.slow
@needs_launch
def test_two_ranks_know_it(tmp_path):
    mine = own_block.place(tmp_path / "there")
    done = two_ranks.train(tmp_path, str(mine))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/t/weights/last.pt").is_file()
    assert (tmp_path / "runs/t/gates.csv").read_text().startswith("epoch,4.CBAM/abs")


REGISTERED = """
import sys
sys.path.insert(0, {place!r})
import yolo_cot
import my_blocks
yolo_cot.register(my_blocks.CBAM, gate=True)
"""


@pytest.mark.slow
@needs_launch
def test_two_ranks_know_a_block_that_the_script_registered(tmp_path, monkeypatch):
    mine = own_block.place(tmp_path / "there")
    file = mine.with_name("yolo11-mine.yaml")
    file.write_text(file.read_text().replace("blocks: [my_blocks.CBAM]\n", ""))
    first = REGISTERED.format(place=str(tmp_path / "there"))
    monkeypatch.setattr(two_ranks, "PARENT", first + two_ranks.PARENT)
    done = two_ranks.train(tmp_path, str(mine))
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@needs_ray
def test_rays_workers_know_it(tmp_path):
    said = ray_tune(tmp_path, status=0, model=own_block.place(tmp_path / "there"))
    assert "my_blocks.CBAM" in said
    assert list((tmp_path / "runs").rglob("best.pt"))


KILLED = """
import os, signal, sys, yolo_cot
from ultralytics import YOLO
yolo = YOLO(sys.argv[1])
yolo.add_callback("on_train_epoch_start", lambda t: t.epoch == 1 and os.kill(os.getpid(), signal.SIGKILL))
yolo.train(data=sys.argv[2], epochs=2, imgsz=64, batch=4, device="cpu", workers=0, amp=False, plots=False,
           project=sys.argv[3], name="t")
"""


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path):
    mine, data = own_block.place(tmp_path / "there"), tiny.data(tmp_path / "d")
    python(KILLED, mine, data, tmp_path / "runs", status=-signal.SIGKILL, cwd=tmp_path)
    last = tmp_path / "runs" / "t" / "weights" / "last.pt"
    # In the folder of the block's file, as the page says.
    python(YOLO_COT, "train", "resume", f"model={last}", cwd=tmp_path / "there", **NO_CWD)
    assert len((tmp_path / "runs/t/results.csv").read_text().strip().splitlines()) == 3


SAVE = """
import sys, torch, yolo_cot
from ultralytics import YOLO
model = YOLO(sys.argv[1]).model
model.yaml["blocks"] += sys.argv[3:]
torch.save({"model": model, "train_args": {"task": "detect"}}, sys.argv[2])
"""


@pytest.mark.slow
def test_a_checkpoint_whose_file_is_gone_says_so_and_installs_nothing(folder, tmp_path):
    mine = own_block.place(tmp_path / "there", "gone_blocks")
    checkpoint = tmp_path / "elsewhere" / "m.pt"
    checkpoint.parent.mkdir()
    python(SAVE, mine, checkpoint)
    (tmp_path / "there").rename(tmp_path / "moved")
    words = ["predict", f"model={checkpoint}", "source=images", "imgsz=64", "device=cpu", f"project={tmp_path}"]
    said = run(folder, *words, status=1)
    last = said.strip().splitlines()[-1]
    assert "holds CBAM of the module gone_blocks, which is not here. Put its file into the working folder or" in last
    assert "AutoInstall" not in said
    # Beside the checkpoint it is found.
    shutil.copy(tmp_path / "moved" / "gone_blocks.py", checkpoint.parent)
    run(folder, *words)


@pytest.mark.slow
def test_a_checkpoint_takes_what_is_imported_and_imports_nothing(tmp_path):
    """Training from a checkpoint builds the model anew, from a dictionary that names the blocks."""
    mine = own_block.place(tmp_path / "there", "named_blocks")
    (tmp_path / "there" / "other_blocks.py").write_text("raise SystemExit('it ran')\n")
    python(SAVE, mine, tmp_path / "m.pt", "other_blocks.X")
    data = tiny.data(tmp_path / "d", 4)
    words = tiny.arguments(tmp_path, model=tmp_path / "m.pt", data=data, imgsz=32, val=False)
    python(YOLO_COT, "train", *words, cwd=tmp_path / "there")
    assert (tmp_path / "runs/t/weights/last.pt").is_file()


@pytest.mark.slow
def test_an_ablation_compares_it_with_plain_and_with_controls(folder):
    """The page's last command, with two seeds; then a changed file of the block is refused."""
    page = own_block.PAGE.read_text(encoding="utf-8")
    (words,) = [w for b in blocks(page) if b.language == "bash" for w in b.lines() if w[1] == "ablate"]
    if not (folder / "yolo11-cbam.yaml").is_file():
        run(folder, "insert", "base=yolo11.yaml", "block=my_blocks.CBAM", "at=P5", "gate=0.0", "out=yolo11-cbam.yaml")
    words = [w for w in shortened(words)[1:] if not w.startswith(("controls", "seeds", "imgsz"))]
    words += ["seeds=2", "imgsz=32", "any_budget=True"]
    run(folder, *words)
    report = (folder / "runs/ablate/report.md").read_text()
    assert "yolo11n-cbam-as-conv" in report
    finished = sorted(p.parent.name for p in (folder / "runs/ablate").rglob("result.json"))
    assert len(finished) >= 6
    file = folder / "my_blocks.py"
    before = file.read_text()
    file.write_text(before.replace("ratio=16", "ratio=8"))
    try:
        assert "the text of yolo11n-cbam has changed" in run(folder, *words, status=1)
    finally:
        file.write_text(before)


@pytest.mark.sweep
def test_six_of_timm_and_three_of_ultralytics_run_to_a_report_beside_ours(folder):
    pytest.importorskip("timm")
    six = ["timm.se", "timm.eca", "timm.cbam", "timm.gc", "timm.coord", "timm.nl"]
    names = ["yolo11n.yaml", "yolo11n-cot.yaml", "yolo11n-outlook.yaml"]
    for block in [*six, "C2PSA", "C2fPSA", "CBAM"]:
        out = f"yolo11-with_{block.replace('.', '_').lower()}.yaml"
        gate = [] if block.startswith("C2") else ["gate=0.0"]
        run(folder, "insert", "base=yolo11.yaml", f"block={block}", "at=P5", *gate, f"out={out}")
        names.append(out.replace("yolo11", "yolo11n"))
    words = [f"models={','.join(names)}", "data=data.yaml", "seeds=1", "epochs=1", "imgsz=32", "batch=8", "workers=0"]
    words += ["device=cpu", "amp=False", "plots=False", "controls=False", "any_budget=True", "project=runs/twelve"]
    run(folder, "ablate", *words)
    report = (folder / "runs/twelve/report.md").read_text()
    assert all(name.removesuffix(".yaml") in report for name in names)
    assert len(list((folder / "runs/twelve").rglob("result.json"))) == 12
