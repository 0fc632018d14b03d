"""`yolo-cot ablate` through its real entry point: tiny trainings, killed in the middle and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO

import psutil
import pytest
import torch

from tests.commands.ablate.ablations import finish, inputs, words
from tests.commands.verbs import call
from tests.processes import YOLO_COT, environment
from yolo_cot.commands import ablate
from yolo_cot.commands.ablate.plan import Plan, Run, load
from yolo_cot.plugin.gates.budget import reachable

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
def story(tmp_path_factory):
    """One ablation: a second one is refused beside it, it is killed during its second run, then it goes on to more."""
    folder = tmp_path_factory.mktemp("ablate")
    given = {**inputs(folder), "project": folder / "p", "controls": False, "device": "cpu"}
    first, other = folder / "p" / "runs" / "yolo11n-plain-seed0", folder / "p" / "runs" / "yolo11n-tiny-seed0"
    killed = started(*words({**given, "seeds": 1}), PYTHONPATH=with_start_up(folder, WAITING))
    until(lambda: (other / "weights").is_dir() or killed.poll() is not None, "the second run")
    plan = (folder / "p" / "plan.json").read_bytes()
    with pytest.raises(ValueError, match="another yolo-cot ablate is at work in") as refused:
        call(ablate, **{**given, "epochs": 2, "seeds": 3})
    spoiled = (folder / "p" / "plan.json").read_bytes() != plan
    (run,) = children(psutil.Process(killed.pid))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    until(lambda: gone(run), "the run to end with the process that started it")
    kept, unfinished = (first / "result.json").stat().st_mtime_ns, (other / "result.json").exists()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as output:
        patch.setenv("PYTHONPATH", with_start_up(folder, DRAWING))
        call(ablate, **{**given, "seeds": 2, "device": "cpu,cpu"})
    found = {"folder": folder / "p", "given": given, "kept": kept, "unfinished": unfinished, "refused": refused}
    return {**found, "output": output.getvalue(), "spoiled": spoiled}


@pytest.mark.slow
def test_a_killed_ablation_goes_on_and_loses_no_finished_run(story):
    folder, output = story["folder"], story["output"]
    assert not story["unfinished"]
    assert (folder / "runs" / "yolo11n-plain-seed0" / "result.json").stat().st_mtime_ns == story["kept"]
    plan = load(folder)
    assert [model.label for model in plan.models] == ["yolo11n-plain", "yolo11n-tiny"]
    assert [run.finished for run in plan.runs()] == [True] * 4
    assert "yolo11n-plain seed 0 started" not in output
    assert "yolo11n-tiny seed 0 started on cpu; 1 of 4 runs finished, 3 left" in output
    assert "4 of 4 runs finished" in output


@pytest.mark.slow
def test_a_second_ablation_leaves_the_plan_of_the_one_at_work_alone(story):
    assert not story["spoiled"]


@pytest.mark.slow
def test_with_one_seed_all_models_see_the_same_batches_and_with_another_seed_others(story):
    orders = {}
    for run in load(story["folder"]).runs():
        orders.setdefault(run.seed, set()).add(run.result()["data_order"])
    assert [len(found) for found in orders.values()] == [1, 1]
    assert orders[0] != orders[1]


@pytest.mark.slow
def test_a_result_holds_what_the_report_needs(story):
    run = next(run for run in load(story["folder"]).runs() if run.name == "yolo11n-tiny-seed1")
    result = run.result()
    assert (result["label"], result["seed"], result["last"]["epoch"]) == ("yolo11n-tiny", 1, 1)
    assert set(result["versions"]) == {"python", "torch", "ultralytics", "yolo-cot"}
    best = torch.load(run.folder / "weights" / "best.pt", map_location="cpu", weights_only=False)
    model = best["ema"] or best["model"]
    assert result["parameters"] == sum(p.numel() for p in model.parameters())
    assert best["train_args"]["seed"] == 1
    assert result["gflops"] > 0
    assert result["steps"] == reachable(run.plan.settings, images=8, classes=2).steps  # as was said beforehand
    assert len(result["curve"]) == 1
    assert set(result["gates"]) == {"4.OutlookAttention", "5.CoTAttention"}
    assert set(result["best"]["sizes"]) == {"all", "small", "medium", "large"}
    assert len(result["best"]["curves"]["precision_over_recall"]) == 101


@pytest.mark.slow
def test_the_report_is_written_and_written_again_without_training(story, capsys):
    folder = story["folder"]
    for name in ("results.csv", "comparisons.csv", "report.md", "tables.tex", "tables/models.csv"):
        assert (folder / name).stat().st_size > 0
    latency = json.loads((folder / "latency.json").read_text())
    assert latency["forward"].keys() == latency["whole"].keys() == {"yolo11n-plain", "yolo11n-tiny"}
    assert all(middle > 0 and low <= middle <= high for middle, low, high in latency["forward"].values())
    page = (folder / "report.html").read_text()
    repeat = "workers=0 amp=False controls=False any_budget=True"
    assert repeat in page
    (folder / "report.html").unlink()
    call(ablate, report=True, project=folder)
    output = capsys.readouterr().out
    assert "yolo11n-tiny against yolo11n-plain: " in output
    assert "started" not in output
    assert (folder / "report.html").read_text() == page


# A run that ends at once: well, with a result that is there already, or not.
AT_ONCE = """
import json, shutil, sys
from pathlib import Path
run = json.loads(Path(sys.argv[1]).read_text())
if run["label"] == "yolo11n-tiny":
    sys.exit("out of luck")
shutil.copy(run["settings"]["pretrained"], Path(sys.argv[1]).with_name("result.json"))
"""


def test_a_run_that_fails_is_told_and_the_others_are_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablate.queue, "COMMAND", (sys.executable, "-c", AT_ONCE))
    monkeypatch.setattr(ablate, "latencies", lambda *_: {})
    finish(Run(Plan(tmp_path / "other", {}), "yolo11n-plain", 0), 0.5)
    result = tmp_path / "other" / "runs" / "yolo11n-plain-seed0" / "result.json"
    given = {**inputs(tmp_path), "project": tmp_path / "p", "seeds": 1, "controls": False, "pretrained": result}
    told = r"1 run failed: yolo11n-tiny-seed0\..* ends with: out of luck\. The same command tries them again\."
    with pytest.raises(ValueError, match=told):
        call(ablate, **given)
    output = capsys.readouterr().out
    assert "yolo11n-plain seed 0 finished" in output
    assert "yolo11n-tiny seed 0 failed; 1 of 2 runs finished, 1 failed" in output
    assert (tmp_path / "p" / "report.html").is_file()


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'ray[tune]'")
def test_on_ray_the_run_of_a_killed_worker_is_made_again(tmp_path):
    given = {**inputs(tmp_path), "project": tmp_path / "p", "seeds": 1, "controls": False, "device": "cpu"}
    with started(*words({**given, "ray": "auto"})) as process:
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
    given = {**inputs(tmp_path), "project": tmp_path / "p", "seeds": 1, "controls": False, "ray": "auto"}
    with pytest.raises(ImportError, match=r'needs Ray, which is not installed\. Run  pip install "yolo-cot\[ray\]"'):
        call(ablate, **given)
