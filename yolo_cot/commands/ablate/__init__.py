"""`yolo-cot ablate`: train several models with several seeds, and say which differences are more than chance."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from . import latency as ablate_latency
from . import power as ablate_power
from . import queue as ablate_queue
from . import ray as ablate_ray
from .models import models_of
from .options import EXAMPLE, Options, read, train_settings
from .progress import Progress
from .report import write_report
from .runs import Plan, Run, load, prepare


def main(overrides: dict[str, object]) -> None:
    """Make the runs that are not there yet, and write the report.

    Args:
        overrides: `models`, YAMLs with commas between them, the base first; `data`; `seeds` (5); `project`
            (runs/ablate); `device`, where two names make two runs at once; `controls` (True); `split` (val); `ray=auto`
            for a Ray cluster; `metric` (map) and `confidence` (0.95) of the report; `report=True` only writes it;
            `plan=GAIN` only says how many seeds a gain needs, `sd` with which spread; further train arguments of
            Ultralytics.

    Raises:
        ValueError: an argument that does not exist or does not fit, or runs that failed.
        FileNotFoundError: no such model, data set or ablation.
    """
    options = read(overrides)
    if options.plan is not None:
        print(ablate_power.tell(options))
        return
    if options.sd is not None:
        raise ValueError("sd= belongs to plan=, the gain to plan for. Example: yolo-cot ablate plan=1.0 sd=0.8")
    if options.report:
        plan, progress = load(options.project), None
    else:
        plan, runs = prepared(options)
        with alone(plan.folder):
            progress = make(runs, options)
    latency = times(plan, options.device[0])
    for sentence in write_report(plan, latency, options.metric, options.confidence):
        print(sentence)
    print(f"written: {plan.folder / 'report.html'}, report.md, results.csv, comparisons.csv")
    if progress and progress.failed:
        raise ValueError(told(progress.failed))


def prepared(options: Options) -> tuple[Plan, list[Run]]:
    """The plan, and the runs that were asked for: those of the models that are named now, and their controls."""
    if not options.models:
        raise ValueError(f"yolo-cot ablate needs models= and data=. Example: {EXAMPLE}")
    settings = train_settings(options)
    models = models_of(options.models, str(settings["data"]), options.controls)
    entries = [(model.entry, model.text) for model in models]
    plan = prepare(options.project, entries, options.seeds, settings, options.split)
    labels = {entry.label for entry, _ in entries}
    return plan, [run for run in plan.runs() if run.label in labels and run.seed < options.seeds]


def make(runs: list[Run], options: Options) -> Progress:
    """Make the runs here or on Ray."""
    epochs = int(options.settings.get("epochs", 100))
    with Progress(runs, epochs, len(options.device)) as progress:
        if options.ray:
            ablate_ray.work(runs, options.ray, options.device[0], progress)
        else:
            ablate_queue.work(runs, options.device, progress)
    return progress


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second ablation out of the folder while one is at work there, where the system can."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                f"another yolo-cot ablate is at work in {folder}. Wait for it, or use another project=."
            ) from None
        try:
            yield
        except KeyboardInterrupt:
            sys.exit("yolo-cot: stopped. Finished runs are kept; the same command goes on.")


def times(plan: Plan, device: str) -> dict[str, Any]:
    """Latencies: those measured before, unless a model has none yet."""
    measured = ablate_latency.kept(plan)
    labels = {run.label for run in plan.runs() if run.finished and (run.folder / "weights" / "best.pt").is_file()}
    if labels <= measured.get("milliseconds", {}).keys():
        return measured
    where = "cuda" if torch.cuda.is_available() else "cpu"
    if device:
        where = f"cuda:{device}" if device.isdigit() else device
    return ablate_latency.measure(plan, where)


def told(failed: list[Run]) -> str:
    """Which runs failed, and the last words of the first."""
    log = failed[0].log
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    names = ", ".join(run.name for run in failed)
    count = f"{len(failed)} run{'s' * (len(failed) > 1)} failed"
    return f"{count}: {names}. {log} ends with: {last}. The same command tries them again."
