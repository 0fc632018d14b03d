"""`yolo-cot ablate`: train several models with several seeds, and say which differences are more than chance."""

from __future__ import annotations

import sys

from ...plugin.datasets import dataset_files
from . import power
from .folder_lock import folder_lock
from .inputs import digests
from .latency import latencies
from .models import check_gates, given, with_controls
from .options import Arguments, Look, look, own, train_settings
from .plan import Plan, Run, load
from .prepare import begun, prepare
from .report import write_report
from .results import Results
from .runs import queue, ray
from .runs.progress import Progress

__all__ = ["Arguments", "main"]


def main(arguments: Arguments) -> None:
    """Make the runs that are not there yet, and write the report.

    Raises:
        ValueError: an argument that does not fit, or runs that failed.
        FileNotFoundError: no such model, data set or ablation.
    """
    if arguments.plan is not None:
        print(power.tell(arguments))
    elif arguments.sd is not None:
        raise ValueError("sd= belongs to plan=, the gain to plan for. Example: yolo-cot ablate plan=1.0 sd=0.8")
    elif arguments.report:
        plan = load(arguments.project.resolve())
        report(plan, look(arguments, plan.own), arguments.device[0])
    elif not (arguments.models and arguments.data):
        raise ValueError(f"yolo-cot ablate needs models= and data=. Example: {Arguments.__doc__}")
    else:
        ablate(arguments)


def ablate(arguments: Arguments) -> None:
    """Make the runs and the report."""
    settings, project = train_settings(arguments), arguments.project.resolve()
    models, task = given(arguments.models)
    files = dataset_files(settings, sorted({"train", "val", arguments.split}), task)
    pictures, classes = len(files.splits["train"].pictures), len(files.names)
    if not arguments.any_budget:
        check_gates(models, settings, pictures, classes)
    asked = Plan(project, settings, task, arguments.split, arguments.seeds)
    asked.own, asked.inputs = own(arguments), digests(files, settings)
    Results(asked, arguments.metric)  # a metric that does not exist is told before the first run
    try:
        # Nothing is written before the folder is ours: another ablation may be at work in it.
        with folder_lock(project):
            if arguments.controls:
                before = begun(project)
                size = int(settings.get("imgsz", 640))
                models = with_controls(models, classes, size, arguments.equal_latency, before)
            plan = prepare(asked, [(model.entry, model.text) for model in models])
            labels = {model.label for model in models}
            failed = make([r for r in plan.runs() if r.label in labels and r.seed < arguments.seeds], arguments)
            report(plan, look(arguments, {}), arguments.device[0])
    except KeyboardInterrupt:
        sys.exit("yolo-cot: stopped. Finished runs are kept; the same command goes on.")
    except OSError as error:
        raise ValueError(f"{error}. Finished runs are kept; the same command goes on.") from error
    if failed:
        raise ValueError(failure_message(failed))


def make(runs: list[Run], arguments: Arguments) -> list[Run]:
    """Make the runs here or on Ray; returns those that failed."""
    for run in runs:
        if damage := run.damage():
            print(f"{damage} The run counts as not finished, and is made again.")
    with Progress(runs, int(arguments.settings.get("epochs", 100)), len(arguments.device)) as progress:
        if arguments.ray:
            ray.work(runs, arguments.ray, arguments.device[0], progress)
        else:
            queue.work(runs, arguments.device, progress)
    return progress.failed


def report(plan: Plan, how: Look, device: str) -> None:
    """Write the report of what is finished, and print what was found."""
    results = Results(plan, how.metric)
    times = latencies(plan, how.runtime, device)
    for sentence in write_report(results, times, how.confidence):
        print(sentence)
    print(f"written: {plan.folder / 'report.html'}, report.md, results.csv, comparisons.csv, tables.tex")


def failure_message(failed: list[Run]) -> str:
    """Which runs failed, and the last words of the first."""
    log = failed[0].log
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    names = ", ".join(run.name for run in failed)
    count = f"{len(failed)} run{'s' * (len(failed) > 1)} failed"
    return f"{count}: {names}. {log} ends with: {last}. The same command tries them again."
