"""The part of the contract that trains: `python -m tests.entry_points.contract --full` runs it too."""

from __future__ import annotations

from tests.entry_points import tiny, two_ranks
from tests.entry_points.two_ranks import needs_cloudpickle
from tests.processes import YOLO, YOLO_COT, python


def training_predicting_and_exporting_work(folder):
    tiny.model(folder)
    data = tiny.data(folder / "d")
    words = tiny.arguments(folder, model="yolo11n-tiny.yaml", data=data)
    python(YOLO_COT, "detect", "train", *words, cwd=folder)
    best = folder / "runs" / "t" / "weights" / "best.pt"
    common = [f"model={best}", "imgsz=64", "device=cpu", f"project={folder / 'runs'}", "name=p", "exist_ok=True"]
    python(YOLO, "detect", "predict", *common, f"source={folder / 'd/val/images'}", "conf=0.01", cwd=folder)
    written = sorted(path.name for path in (folder / "runs" / "p").iterdir())
    assert len(written) == 4, written
    python(YOLO, "export", f"model={best}", "format=onnx", "imgsz=64", "device=cpu", cwd=folder)
    import onnx

    graph = onnx.load(best.with_suffix(".onnx"))
    assert not {"Col2Im"} & {node.op_type for node in graph.graph.node}
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx"}


def tune(folder, left_out=""):
    """Tune for one iteration of one epoch; `left_out` names a hook to go without."""
    tiny.model(folder)
    data = tiny.data(folder / "d")
    code = f"""
import yolo_cot
from yolo_cot.plugin import registration
yolo_cot.uninstall()
registration.HOOKS = [hook for hook in registration.HOOKS if hook.__name__ != {left_out!r}]
yolo_cot.install()
from ultralytics import YOLO
YOLO("yolo11n-tiny.yaml").tune(data={str(data)!r}, iterations=1, epochs=1, imgsz=64, batch=4, device="cpu", workers=0,
                               plots=False, amp=False, project={str(folder / "r")!r})
"""
    # One epoch ends with a fitness of 0, which some releases cannot plot after the training itself has succeeded.
    done = python(code, cwd=folder, status=None)
    return bool(list(folder.rglob("best.pt"))), done.stdout + done.stderr


def tuning_works(folder):
    trained, said = tune(folder)
    assert trained, said


def tuning_by_commands_needs_the_hook(folder):
    from ultralytics.engine import tuner

    if not hasattr(tuner, "subprocess"):
        print("    (this release of Ultralytics tunes in its own process)")
        return
    trained, said = tune(folder, left_out="command_children")
    assert not trained
    assert "KeyError: 'C3k2CoT'" in said


def two_ranks_train(folder):
    if needs_cloudpickle():
        print("    (not run: cloudpickle is not there)")
        return
    done = two_ranks.train(folder, "yolo11n-cot.yaml")
    assert done.returncode == 0, done.stderr
    assert "rank 1 of 2 on gloo" in done.stdout + done.stderr
    assert list(folder.rglob("last.pt"))


def two_ranks_need_the_hook(folder):
    if needs_cloudpickle():
        print("    (not run: cloudpickle is not there)")
        return
    done = two_ranks.train(folder, str(tiny.model(folder).with_name("yolo11n-tiny.yaml")), hooked=False)
    assert done.returncode != 0
    # Our train argument is the first thing that they do not know, before they build the model.
    assert "'gate_lr' is not a valid YOLO argument" in done.stderr
    assert not list(folder.rglob("last.pt"))


FULL = [
    training_predicting_and_exporting_work,
    tuning_works,
    tuning_by_commands_needs_the_hook,
    two_ranks_train,
    two_ranks_need_the_hook,
]
