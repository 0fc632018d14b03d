"""Processes that Ultralytics, torch and Ray start: each knows the blocks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

import pytest

from tests.entry_points import tiny, two_ranks
from tests.entry_points.contract_trainings import (
    tuning_by_commands_needs_the_hook,
    tuning_works,
    two_ranks_need_the_hook,
)
from tests.entry_points.two_ranks import needs_cloudpickle
from tests.processes import environment, python

needs_launch = pytest.mark.skipif(
    needs_cloudpickle(), reason="this Ultralytics starts multi-GPU training through cloudpickle, which is not installed"
)


@pytest.mark.slow
@needs_launch
def test_two_ranks_on_gloo_train_from_a_bare_name(tmp_path):
    done = two_ranks.train(tmp_path, "yolov8n-cot.yaml")
    assert done.returncode == 0, done.stderr
    assert {f"rank {n} of 2 on gloo" in done.stdout for n in (0, 1)} == {True}
    assert (tmp_path / "runs/t/weights/last.pt").is_file()


@pytest.mark.slow
@needs_launch
def test_two_ranks_on_gloo_train_from_a_path(tmp_path):
    done = two_ranks.train(tmp_path, str(tiny.model(tmp_path).with_name("yolo11n-tiny.yaml")))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/t/weights/last.pt").is_file()


@pytest.mark.slow
@needs_launch
def test_without_the_import_in_the_script_the_ranks_do_not_know_the_blocks(tmp_path):
    two_ranks_need_the_hook(tmp_path)


@pytest.mark.slow
def test_tuning_trains_our_blocks(tmp_path):
    tuning_works(tmp_path)


@pytest.mark.slow
def test_tuning_by_commands_does_not_know_the_blocks_without_its_hook(tmp_path):
    tuning_by_commands_needs_the_hook(tmp_path)


def test_commands_of_ultralytics_are_started_with_the_package_and_others_are_left_alone(monkeypatch):
    from yolo_cot.plugin.hooks import command_line

    seen = []
    monkeypatch.setattr(command_line.subprocess, "run", lambda command, **more: seen.append(command))
    run = command_line._Subprocess().run
    run(["python", "-m", "ultralytics.cfg.__init__", "train", "model=a b.yaml"], check=True)
    run(["python", "-m", "torch.distributed.run", "file.py"])
    run("ls", shell=True)
    assert seen[0][:2] == ["python", "-c"]
    assert "import yolo_cot" in seen[0][2]
    assert seen[0][3:] == ["train", "model=a b.yaml"]
    assert seen[1:] == [["python", "-m", "torch.distributed.run", "file.py"], "ls"]


SPAWN = """
import multiprocessing
import sys
import torch

def work(rank, model, x, queue):
    from ultralytics.nn.tasks import DetectionModel  # knows the blocks: the model came as a pickle
    names = {type(m).__name__ for m in DetectionModel("yolo11n-cot.yaml", verbose=False).modules()}
    queue.put(("CoTAttention" in names, model(x)[0].tolist()))

if __name__ == "__main__":
    import yolo_cot
    from ultralytics.nn.tasks import DetectionModel
    from tests.live import live, picture
    torch.manual_seed(0)
    model, x = live(DetectionModel("yolo11n-cot.yaml", verbose=False)).requires_grad_(False), picture(64, 64)
    queue = torch.multiprocessing.get_context("spawn").SimpleQueue()
    torch.multiprocessing.spawn(work, (model, x, queue), nprocs=1)
    known, found = queue.get()
    assert known
    torch.testing.assert_close(torch.tensor(found), model(x)[0], rtol=1e-5, atol=1e-5)
"""


@pytest.mark.slow
def test_a_process_spawned_by_torch_gets_a_model_and_knows_the_blocks(tmp_path):
    file = tmp_path / "spawn.py"
    file.write_text(SPAWN)
    done = run_file(file)
    assert done.returncode == 0, done.stderr


LOADERS = """
import multiprocessing
import sys

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    import yolo_cot
    from ultralytics import YOLO
    YOLO("yolo11n-tiny.yaml").train(data=sys.argv[1], epochs=1, imgsz=64, batch=4, device="cpu", workers=1, amp=False,
                                    plots=False, project=sys.argv[2], name="t")
"""


@pytest.mark.slow
def test_training_works_with_data_loader_workers_under_spawn(tmp_path):
    tiny.model(tmp_path)
    file = tmp_path / "loaders.py"
    file.write_text(LOADERS)
    done = run_file(file, tiny.data(tmp_path / "d"), tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/t/weights/last.pt").is_file()


def run_file(file, *words):
    command = [sys.executable, str(file), *map(str, words)]
    return subprocess.run(command, cwd=file.parent, env=environment(), capture_output=True, text=True, timeout=300)


RAY = """
import inspect, sys
import ray
import yolo_cot
from ray import tune
from ultralytics import YOLO
from ultralytics.utils import NUM_THREADS
from ultralytics.utils.tuner import run_ray_tune
model, data, runs, place = sys.argv[1:]
ray.init(num_cpus=NUM_THREADS, include_dashboard=False, _temp_dir=place)  # a trial asks for so many
more = {"search_alg": "random"} if "search_alg" in inspect.signature(run_ray_tune).parameters else {}
results = YOLO(model).tune(
    use_ray=True, data=data, iterations=1, epochs=1, imgsz=64, batch=4, device="cpu", workers=0, plots=False, amp=False,
    space={"lr0": tune.uniform(0.001, 0.01)}, project=runs, **more
)
assert not results.errors, results.errors
"""
# In Ray's workers, and there alone, the import of the package registers nothing.
IDLE_IN_WORKERS = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "yolo_cot.plugin.registration":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec
        spec = find_spec(name)
        load = spec.loader.exec_module
        def patched(module):
            load(module)
            module.install = lambda: None
        spec.loader.exec_module = patched
        return spec

if any("default_worker" in word for word in sys.orig_argv):
    sys.meta_path.insert(0, Finder())
"""
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'ray[tune]'")


def ray_processes(place):
    import psutil

    every = psutil.process_iter(["cmdline"])
    return [p for p in every if p.pid != os.getpid() and any(place in word for word in p.info["cmdline"] or [])]


def ray_tune(folder, status, **more):
    """Tune on a Ray of its own, whose sockets need a short path; no process of it may be left."""
    model, data = tiny.model(folder).with_name("yolo11n-tiny.yaml"), tiny.data(folder / "d")
    place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    try:
        words = [model, data, folder / "runs", place]
        done = python(RAY, *words, cwd=folder, status=status, RAY_USAGE_STATS_ENABLED="0", **more)
        end = time.monotonic() + 20
        while (left := ray_processes(place)) and time.monotonic() < end:
            time.sleep(0.5)
        assert not left
        return done.stdout + done.stderr
    finally:
        for process in ray_processes(place):
            process.kill()
        shutil.rmtree(place, ignore_errors=True)


@needs_ray
def test_ray_tune_on_a_local_ray_trains_our_blocks(tmp_path):
    said = ray_tune(tmp_path, status=0)
    assert "yolo_cot.nn.csp.C3k2CoT" in said
    assert list((tmp_path / "runs").rglob("best.pt"))


@pytest.mark.slow
@needs_ray
def test_ray_workers_know_the_blocks_because_unpickling_registers_them(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(IDLE_IN_WORKERS)
    path = os.pathsep.join([str(tmp_path / "site"), environment()["PYTHONPATH"]])
    assert "KeyError: 'C3k2CoT'" in ray_tune(tmp_path, status=1, PYTHONPATH=path)
    assert not list((tmp_path / "runs").rglob("best.pt"))
