"""`yolo-cot ablate`: train several models with several seeds, and say which differences are more than chance."""

from __future__ import annotations

import sys
from typing import Any

import torch

from . import latency as ablate_latency
from . import power as ablate_power
from .folder_lock import folder_lock
from .inputs import inputs_of
from .models import models_of
from .options import EXAMPLE, Options, read, train_settings
from .plan import Plan, Run, load
from .prepare import prepare
from .report import write_report
from .runs import queue as ablate_queue
from .runs import ray as ablate_ray
from .runs.progress import Progress


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
        report(load(options.project), options)
        return
    if not options.models:
        raise ValueError(f"yolo-cot ablate needs models= and data=. Example: {EXAMPLE}")
    settings = train_settings(options)
    models = models_of(options.models, str(settings["data"]), options.controls)
    try:
        # Nothing is written before the folder is ours: another ablation may be at work in it.
        with folder_lock(options.project):
            plan = prepare(
                options.project,
                [(model.entry, model.text) for model in models],
                options.seeds,
                settings,
                options.split,
                inputs_of(settings, options.split),
            )
            labels = {model.label for model in models}
            failed = make([r for r in plan.runs() if r.label in labels and r.seed < options.seeds], options)
            report(plan, options)
    except KeyboardInterrupt:
        sys.exit("yolo-cot: stopped. Finished runs are kept; the same command goes on.")
    except OSError as error:
        raise ValueError(f"{error}. Finished runs are kept; the same command goes on.") from error
    if failed:
        raise ValueError(failure_message(failed))


def report(plan: Plan, options: Options) -> None:
    """Write the report of what is finished, and print what was found."""
    for sentence in write_report(plan, times(plan, options.device[0]), options.metric, options.confidence):
        print(sentence)
    print(f"written: {plan.folder / 'report.html'}, report.md, results.csv, comparisons.csv")


def make(runs: list[Run], options: Options) -> list[Run]:
    """Make the runs here or on Ray; returns those that failed."""
    for run in runs:
        if damage := run.damage():
            print(f"{damage} The run counts as not finished, and is made again.")
    epochs = int(options.settings.get("epochs", 100))
    with Progress(runs, epochs, len(options.device)) as progress:
        if options.ray:
            ablate_ray.work(runs, options.ray, options.device[0], progress)
        else:
            ablate_queue.work(runs, options.device, progress)
    return progress.failed


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


def failure_message(failed: list[Run]) -> str:
    """Which runs failed, and the last words of the first."""
    log = failed[0].log
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    names = ", ".join(run.name for run in failed)
    count = f"{len(failed)} run{'s' * (len(failed) > 1)} failed"
    return f"{count}: {names}. {log} ends with: {last}. The same command tries them again."
