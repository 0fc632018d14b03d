"""Make the runs of an ablation on a Ray cluster: each is a task, and one that loses its worker is started again.

A task works in a temporary folder of its worker and hands its files back, so the machines need not share the folder of
the ablation. What they need is this package, and the data set and the weights at the same paths.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..plan import Run
from .progress import Progress
from .queue import environment, start

RETRIES = 5
# Ultralytics trains on a CPU with at most this many threads.
THREADS = 8


def work(runs: Sequence[Run], address: str, device: str, progress: Progress) -> None:
    """Make the runs that are not finished, as many at a time as the cluster has room for.

    Args:
        runs: the runs.
        address: "auto" for the cluster that this machine belongs to, or a new one on this machine alone where it
            belongs to none; else the address of one.
        device: "cpu" or "" for a GPU each where the cluster has any.
        progress: is told what happens.

    Raises:
        ImportError: Ray is not installed.
        ValueError: there is no cluster at that address.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('ray= needs Ray, which is not installed. Run  pip install "yolo-cot[ray]"') from error
    connect(ray, address)
    try:
        resources = share(ray.nodes(), device)
        progress.at_once = max(int(ray.cluster_resources().get("CPU", 1) // resources["num_cpus"]), 1)
        # A worker is not used again, so that no run starts with what another has left behind.
        task = ray.remote(max_calls=1, max_retries=RETRIES, **resources)(make)
        where = "0" if resources["num_gpus"] else "cpu"
        waiting = {}
        for run in runs:
            if not run.finished:
                text = run.plan.model_file(run.label).read_text(encoding="utf-8")
                waiting[task.remote(run.job(where), text)] = run
        progress.tell(f"{len(waiting)} runs handed to Ray")
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=1)
            for reference in ready:
                run = waiting.pop(reference)
                try:
                    keep(run, ray.get(reference))
                except ray.exceptions.RayError as error:
                    run.log.parent.mkdir(exist_ok=True)
                    run.log.write_text(f"{error}\n", encoding="utf-8")
                progress.ended(run)
            progress.show()
    finally:
        ray.shutdown()


def connect(ray: Any, address: str) -> None:
    """Join a cluster, or start one of this machine alone."""
    forwarded = {key: value for key, value in os.environ.items() if key.startswith("YOLO_")}
    runtime = {"env_vars": {**forwarded, "PYTHONPATH": environment()["PYTHONPATH"]}}
    quiet: dict[str, Any] = {"runtime_env": runtime, "log_to_driver": False, "logging_level": "error"}
    try:
        ray.init(address=address, **quiet)
    except ConnectionError as error:
        if address != "auto":
            raise ValueError(f"no Ray cluster answers at ray={address}. Start one, or use ray=auto.") from error
        ray.init(include_dashboard=False, **quiet)


def share(nodes: Sequence[dict[str, Any]], device: str) -> dict[str, float]:
    """What one run asks for, so that it fits every machine: a GPU and its part of the processors, or a few processors.

    Args:
        nodes: what `ray.nodes()` says.
        device: "cpu", or "" for a GPU where there is one.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("CPU")]
    with_gpu = [r for r in alive if r.get("GPU")] if device != "cpu" else []
    if with_gpu:
        each = min(r["CPU"] / r["GPU"] for r in with_gpu)
        return {"num_cpus": max(int(min(each, THREADS)), 1), "num_gpus": 1}
    return {"num_cpus": max(int(min([THREADS, *(r["CPU"] for r in alive)])), 1), "num_gpus": 0}


def make(job: dict[str, Any], model: str) -> dict[str, bytes]:
    """Make one run in a temporary folder, and return the content of its files by name; what it printed as "log".

    Args:
        job: what the run is told.
        model: the text of its model YAML.
    """
    with tempfile.TemporaryDirectory(prefix="yolo-cot-") as place:
        folder, log, yaml = Path(place) / "run", Path(place) / "log.txt", Path(place) / f"{job['label']}.yaml"
        yaml.write_text(model, encoding="utf-8")
        with start({**job, "model": str(yaml)}, folder, log) as process:
            process.wait()
        files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        return {**files, "log": log.read_bytes()}


def keep(run: Run, files: dict[str, bytes]) -> None:
    """Write what a task returned into the run's folder, which appears whole or not at all."""
    part = run.folder.with_name(f"{run.name}.part")
    for old in (part, run.folder):
        shutil.rmtree(old, ignore_errors=True)
    for name, content in files.items():
        file = run.log if name == "log" else part / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    part.replace(run.folder)
