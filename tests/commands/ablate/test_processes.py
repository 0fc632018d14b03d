"""`yolo-cot ablate` through its real entry point: tiny trainings, killed in the middle and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import psutil
import pytest
import torch

from tests.commands.ablate.ablations import inputs
from tests.processes import YOLO_COT, environment, python
from yolo_cot.commands.ablate.plan import load

WAIT = 300  # seconds, far more than a loaded machine needs


def children(parent: psutil.Process) -> list[psutil.Process]:
    """The processes below this one that train."""
    found = []
    for process in parent.children(recursive=True):
        try:
            if (
                any("ablate.runs.train" in word for word in process.cmdline())
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def until(true, what):
    """Wait for something to be true, and return what it gave."""
    end = time.time() + WAIT
    while time.time() < end:
        if value := true():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {WAIT} seconds for {what}")


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def started(*words, **more):
    return subprocess.Popen(
        [sys.executable, "-c", YOLO_COT, "ablate", *words],
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


# In the runs of one of the models: its construction takes numbers from Python's and NumPy's generators too.
DRAWING = """
import sys
if any("yolo11n-tiny-seed" in word for word in sys.orig_argv):
    import functools, random, numpy, yolo_cot.nn
    block = yolo_cot.nn.OutlookAttention
    make = block.__init__
    @functools.wraps(make)
    def drawing(self, *args, **kwargs):
        random.random(), numpy.random.rand()
        make(self, *args, **kwargs)
    block.__init__ = drawing
"""


# The same run, before its first validation: there it stays.
WAITING = """
import sys
if any("yolo11n-tiny-seed" in word for word in sys.orig_argv):
    import time
    from ultralytics.engine.trainer import BaseTrainer
    BaseTrainer.validate = lambda self: time.sleep(3600)
"""


def with_start_up(folder, code):
    """Let every Python process run this code when it starts; returns the variable that does so."""
    (folder / "sitecustomize.py").write_text(code)
    return f"{folder}{os.pathsep}{environment()['PYTHONPATH']}"


@pytest.fixture(scope="module")
def ablation(tmp_path_factory):
    """One that a second process was refused beside, that was killed during its second run, and then went on to more."""
    folder = tmp_path_factory.mktemp("ablate")
    words = [*inputs(folder), f"project={folder / 'p'}"]
    first, other = folder / "p" / "runs" / "yolo11n-plain-seed0", folder / "p" / "runs" / "yolo11n-tiny-seed0"
    path = with_start_up(folder, WAITING)
    killed = started(*words, "seeds=1", "controls=False", "device=cpu", PYTHONPATH=path)
    until(lambda: (other / "weights").is_dir() or killed.poll() is not None, "the second run")
    plan = (folder / "p" / "plan.json").read_bytes()
    second = python(YOLO_COT, "ablate", *words, "epochs=2", "seeds=3", status=1)
    spoiled = (folder / "p" / "plan.json").read_bytes() != plan
    (run,) = children(psutil.Process(killed.pid))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    until(lambda: gone(run), "the run to end with the process that started it")
    kept = (first / "result.json").stat().st_mtime_ns
    unfinished = (other / "result.json").exists()
    path = with_start_up(folder, DRAWING)
    again = python(YOLO_COT, "ablate", *words, "seeds=2", "device=cpu,cpu", timeout=2 * WAIT, PYTHONPATH=path)
    found = {"folder": folder / "p", "words": words, "kept": kept, "unfinished": unfinished, "output": again.stdout}
    return {**found, "refused": second.stderr, "spoiled": spoiled}


def test_a_killed_ablation_goes_on_and_loses_no_finished_run(ablation):
    folder = ablation["folder"]
    assert not ablation["unfinished"]
    assert (folder / "runs" / "yolo11n-plain-seed0" / "result.json").stat().st_mtime_ns == ablation["kept"]
    plan = load(folder)
    assert [m.label for m in plan.models[:3]] == ["yolo11n-plain", "yolo11n-tiny", "yolo11n-tiny-as-conv"]
    assert plan.models[3].kind == "widened"
    assert all(run.finished for run in plan.runs())
    assert len(plan.runs()) == 8
    output = ablation["output"]
    assert "yolo11n-plain seed 0 started" not in output
    assert "yolo11n-tiny seed 0 started on cpu; 1 of 8 runs finished, 7 left" in output
    assert "8 of 8 runs finished" in output


def test_a_second_process_is_refused_and_leaves_the_plan_of_the_first_alone(ablation):
    assert "another yolo-cot ablate is at work in" in ablation["refused"]
    assert not ablation["spoiled"]


def test_with_one_seed_all_models_see_the_same_batches_and_with_another_seed_others(ablation):
    orders = {}
    for run in load(ablation["folder"]).runs():
        orders.setdefault(run.seed, set()).add(run.result()["data_order"])
    assert [len(found) for found in orders.values()] == [1, 1]
    assert orders[0] != orders[1]


def test_a_result_holds_what_the_report_needs(ablation):
    run = next(run for run in load(ablation["folder"]).runs() if run.name == "yolo11n-tiny-seed1")
    result = run.result()
    assert (result["label"], result["seed"], result["last"]["epoch"]) == ("yolo11n-tiny", 1, 1)
    assert set(result["versions"]) == {"python", "torch", "ultralytics", "yolo-cot"}
    best = torch.load(run.folder / "weights" / "best.pt", map_location="cpu", weights_only=False)
    model = best["ema"] or best["model"]
    assert result["parameters"] == sum(p.numel() for p in model.parameters())
    assert best["train_args"]["seed"] == 1
    assert result["gflops"] > 0


def test_the_report_is_written_and_written_again_without_training(ablation):
    folder = ablation["folder"]
    for name in ("results.csv", "comparisons.csv", "report.md"):
        assert (folder / name).stat().st_size > 0
    latency = json.loads((folder / "latency.json").read_text())
    assert len(latency["milliseconds"]) == 4
    assert min(latency["milliseconds"].values()) > 0
    page = (folder / "report.html").read_text()
    for name in ("report.html", "latency.json"):
        (folder / name).rename(folder / f"{name}.old")
    (folder / "latency.json.old").rename(folder / "latency.json")
    output = python(YOLO_COT, "ablate", "report=True", f"project={folder}").stdout
    assert "yolo11n-tiny against yolo11n-plain: " in output
    assert "started" not in output
    assert (folder / "report.html").read_text() == page


def test_another_setting_in_the_same_folder_is_refused(ablation):
    words = [word for word in ablation["words"] if not word.startswith("imgsz")]
    done = python(YOLO_COT, "ablate", *words, "imgsz=96", "seeds=2", status=1)
    assert "imgsz was 64, now 96. Repeat those settings, or use another project=." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_fails_is_told_and_the_others_are_made(tmp_path):
    words = [*inputs(tmp_path), f"project={tmp_path / 'p'}", "seeds=1", "controls=False", "device=cpu"]
    failing = (
        "import sys\nif any('yolo11n-tiny-seed0' in word for word in sys.orig_argv):\n    sys.exit('out of luck')\n"
    )
    done = python(YOLO_COT, "ablate", *words, status=1, PYTHONPATH=with_start_up(tmp_path, failing))
    assert "yolo11n-plain seed 0 finished" in done.stdout
    assert "yolo11n-tiny seed 0 failed; 1 of 2 runs finished, 1 failed" in done.stdout
    assert "1 run failed: yolo11n-tiny-seed0" in done.stderr
    assert "ends with: SystemExit: out of luck. The same command tries them again." in done.stderr
    assert (tmp_path / "p" / "report.html").is_file()


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'ray[tune]'")
def test_on_ray_the_run_of_a_killed_worker_is_made_again(tmp_path):
    words = [*inputs(tmp_path), f"project={tmp_path / 'p'}", "seeds=1", "controls=False", "device=cpu", "ray=auto"]
    with started(*words) as process:
        here = psutil.Process()
        (run,) = until(lambda: children(here), "the first run")
        worker = run.parent()
        assert "ray::" in " ".join(worker.cmdline())
        worker.send_signal(signal.SIGKILL)
        until(lambda: gone(run), "the run to end with its worker")
        assert not list((tmp_path / "p").glob("runs/*/result.json"))
        output, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 0, output
    plan = load(tmp_path / "p")
    assert [run.finished for run in plan.runs()] == [True, True]
    assert len({run.result()["data_order"] for run in plan.runs()}) == 1
    assert all((run.folder / "weights" / "best.pt").is_file() and run.log.is_file() for run in plan.runs())
    assert "2 of 2 runs finished" in output


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_message_says_what_to_install(tmp_path):
    words = [*inputs(tmp_path), f"project={tmp_path / 'p'}", "seeds=1", "controls=False", "ray=auto"]
    done = python(YOLO_COT, "ablate", *words, status=1)
    assert 'needs Ray, which is not installed. Run  pip install "yolo-cot[ray]"' in done.stderr
