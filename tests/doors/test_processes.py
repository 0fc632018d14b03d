"""Processes that Ultralytics, torch and Ray start: each knows the blocks."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.doors import tiny, two_ranks
from tests.doors.contract import needs_cloudpickle, tuning_works
from tests.processes import python

needs_launch = pytest.mark.skipif(
    needs_cloudpickle(), reason="this Ultralytics starts multi-GPU training through cloudpickle, which is not installed"
)


@needs_launch
def test_two_ranks_on_gloo_train_from_a_bare_name(tmp_path):
    done = two_ranks.train(tmp_path, "yolo11n-cot.yaml")
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
    done = two_ranks.train(tmp_path, str(tiny.model(tmp_path).with_name("yolo11n-tiny.yaml")), hooked=False)
    assert done.returncode != 0
    assert "KeyError: 'C3k2CoT'" in done.stderr


@pytest.mark.slow
def test_tuning_trains_our_blocks(tmp_path):
    tuning_works(tmp_path)


def test_commands_of_ultralytics_are_started_with_the_package_and_others_are_left_alone(monkeypatch):
    from yolo_cot.plugin import processes

    seen = []
    monkeypatch.setattr(processes.subprocess, "run", lambda command, **more: seen.append(command))
    run = processes._Subprocess().run
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

def work(rank, model, queue):
    from ultralytics.nn.tasks import DetectionModel  # knows the blocks: the model came as a pickle
    names = {type(m).__name__ for m in DetectionModel("yolo11n-cot.yaml", verbose=False).modules()}
    queue.put(("CoTAttention" in names, float(model(torch.ones(1, 3, 64, 64))[0].sum())))

if __name__ == "__main__":
    import yolo_cot
    from ultralytics.nn.tasks import DetectionModel
    torch.manual_seed(0)
    model = DetectionModel("yolo11n-cot.yaml", verbose=False).eval().requires_grad_(False)
    queue = torch.multiprocessing.get_context("spawn").SimpleQueue()
    torch.multiprocessing.spawn(work, (model, queue), nprocs=1)
    known, total = queue.get()
    assert known and abs(total - float(model(torch.ones(1, 3, 64, 64))[0].sum())) < 1, (known, total)
"""


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


def test_training_works_with_data_loader_workers_under_spawn(tmp_path):
    tiny.model(tmp_path)
    file = tmp_path / "loaders.py"
    file.write_text(LOADERS)
    done = run_file(file, tiny.data(tmp_path / "d"), tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/t/weights/last.pt").is_file()


def run_file(file, *words):
    import subprocess
    import sys

    from tests.processes import environment

    command = [sys.executable, str(file), *map(str, words)]
    return subprocess.run(command, cwd=file.parent, env=environment(), capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'ray[tune]'")
def test_ray_tune_on_a_local_ray_trains_our_blocks(tmp_path):
    model = tiny.model(tmp_path)
    data = tiny.data(tmp_path / "d")
    code = f"""
import ray, yolo_cot
from ultralytics import YOLO
ray.init(num_cpus=1, include_dashboard=False)
results = YOLO({str(model)!r}).tune(
    use_ray=True, data={str(data)!r}, iterations=1, epochs=1, imgsz=64, batch=4, device="cpu", workers=0, plots=False,
    amp=False, space={{"lr0": ray.tune.uniform(0.001, 0.01)}}, gpu_per_trial=None
)
assert not results.errors, results.errors
"""
    python(code, cwd=tmp_path)
