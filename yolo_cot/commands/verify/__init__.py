"""`yolo-cot verify`: export a model to every format that can be, run the files, and compare them with PyTorch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import ultralytics
from ultralytics.engine.exporter import export_formats
from ultralytics.utils import LOGGER

from ..arguments import Rule, argument, at_least
from ..curve import METRICS
from ..output import announce, console
from ..runtimes.export import PRECISIONS
from ..runtimes.formats import FORMATS, obstacle
from ..timing import busy
from .pictures import pictures
from .processes import found_by
from .report import Report, print_report, write
from .result import ABSENT, BAD, NAN, Result, judged
from .subject import TOLERANCE, Subject, prepare
from .worker import accuracy

# Of heads whose outputs are detections in any order.
CHOSEN = (
    "This head keeps its surest detections: they are compared in any order, without the 1 % that are farthest apart. "
    "Where rounding makes RT-DETR choose another query, all others change a little: see whether a format that "
    "disagrees does so on other pictures too (source=)."
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot verify model=best.pt data=coco8.yaml"""

    model: str = argument("a checkpoint; a YAML is taken with random weights, made so that every block shows")
    data: str | None = argument("the data set to measure mAP on; not measured by default", None)
    formats: tuple[str, ...] = argument("formats, as Ultralytics calls them; all by default", ())
    source: str | None = argument("a picture or a folder of them; Ultralytics' own by default", None)
    imgsz: int = argument(
        "side of the pictures", 640, rule=Rule("that is a multiple of 32", lambda n: n > 0 and n % 32 == 0)
    )
    precision: str = argument(
        "32; 16, half, is compared with the plain model's; 8, integers, takes its calibration from data", "32",
        choices=PRECISIONS,
    )  # fmt: skip
    dynamic: bool = argument("export with sizes that may change", False)
    rounds: int = argument("rounds of the timing", 20, rule=at_least(1))
    threads: int | None = argument("threads; all cores by default", None, rule=at_least(1))
    timeout: int = argument("seconds that a format may take", 1800, rule=at_least(1))
    out: Path = argument("the folder to write", Path("runs/verify"))


def main(arguments: Arguments) -> None:
    """Print the table, write CSV and the page.

    Raises:
        SystemExit: with status 1, if a format that ran disagrees, or one fails that takes the plain model.
        ValueError: a format that does not exist, or no model.
        FileNotFoundError: no such model or picture.
    """
    names = known_formats(arguments.formats)
    if arguments.precision == "8" and not arguments.data:
        raise ValueError("yolo-cot verify precision=8 needs data=, the data set whose pictures calibrate the integers.")
    warnings = [word] if (word := busy()) else []
    files, batch = pictures(arguments.source, arguments.imgsz)
    arguments.out.mkdir(parents=True, exist_ok=True)
    subject = prepare(arguments.model, batch, arguments.out)
    for line in subject.unseen:
        LOGGER.warning(line)
    job = _job(arguments, subject)
    results = list(_results(names, job, arguments, subject))
    reached = accuracy(subject.weights, {**job, "format": "torch"}) if arguments.data else NAN
    if unsteady := [r.format for r in results if r.ratio_high - r.ratio_low > 0.1 * r.ratio]:
        warnings.append(f"The quartiles of the time ratio are more than 10 % apart: {', '.join(unsteady)}.")
    about = [
        f"{len(files)} pictures at {arguments.imgsz} x {arguments.imgsz}: {', '.join(file.name for file in files)}.",
        f"Error: the largest difference, relative to the largest value, of boxes and of scores; "
        f"at most {TOLERANCE:.0e} in float32. Times: median (quartiles) of {arguments.rounds} rounds in turn.",
        f"ultralytics {ultralytics.__version__}, torch {torch.__version__}, {job['threads']} threads.",
    ]
    if subject.unordered:
        about.insert(1, CHOSEN)
    metric = METRICS[subject.task][1] if subject.task in METRICS else "accuracy"
    report = Report(subject.name, subject.plain_name, metric, reached, about, [*subject.unseen, *warnings], results)
    print_report(console(), report)
    written = write(report, arguments.out)
    print(f"written: {', '.join(map(str, written))}")
    if bad := [result.format for result in results if result.verdict in BAD]:
        sys.exit(f"yolo-cot: {subject.name} is not what PyTorch computes in {', '.join(bad)}.")


def known_formats(asked: tuple[str, ...]) -> list[str]:
    """The formats that are asked for, or all that this Ultralytics has.

    Raises:
        ValueError: one that it does not have.
    """
    there = [name for name in export_formats()["Argument"] if name in FORMATS]
    if wrong := [name for name in asked if name not in there]:
        raise ValueError(
            f"yolo-cot verify knows the formats {', '.join(there)}; got {', '.join(wrong)}. "
            f"Example: {Arguments.__doc__} formats=onnx,openvino"
        )
    return list(asked) or sorted(there, key=list(FORMATS).index)


def _job(arguments: Arguments, subject: Subject) -> dict[str, Any]:
    """What every format's process is told."""
    return {
        "weights": str(subject.weights),
        "plain": str(subject.plain) if subject.plain else "",
        "reference": str(subject.reference),
        "plain_reference": str(subject.plain_reference),
        "classes": subject.classes,
        "unordered": subject.unordered,
        "task": subject.task,
        "imgsz": arguments.imgsz,
        "precision": arguments.precision,
        "data": arguments.data,
        "dynamic": arguments.dynamic,
        "validate": arguments.data if subject.task in METRICS else "",
        "rounds": arguments.rounds,
        "threads": arguments.threads or os.cpu_count() or 1,
        "only_plain": False,
    }


def _results(names: list[str], job: dict[str, Any], arguments: Arguments, subject: Subject) -> Iterator[Result]:
    """A row for each format, in order; those that cannot be tried here take no time."""
    reasons = {name: obstacle(name) for name in names}
    tried = announce([name for name in names if not reasons[name]], "format", sum(not r for r in reasons.values()))
    for name in names:
        if reasons[name]:
            yield Result(name, ABSENT, note=reasons[name][0].upper() + reasons[name][1:])
            continue
        next(tried)
        LOGGER.info(f"{name}: exporting, running, timing; its log is {arguments.out / name / 'log.txt'}")
        found = found_by({**job, "format": name}, arguments.out / name, arguments.timeout)
        if found.get("failed") and "plain_fails" not in found and "error" not in found and subject.plain:
            # It died: whether the plain model does, too, is seen in another process.
            again = {**job, "format": name, "only_plain": True, "plain": str(subject.plain)}
            found["plain_fails"] = "failed" in found_by(again, arguments.out / name / "plain", arguments.timeout)
        result = judged(name, found, arguments.precision, TOLERANCE, subject.plain_name)
        LOGGER.info(f"{name}: {result.verdict}. {result.note}".rstrip())
        yield result
