"""`yolo-cot attention`: pictures and numbers of what each block of a trained model looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ultralytics import YOLO
from ultralytics.utils import LOGGER, RUNS_DIR
from ultralytics.utils.files import increment_path

from ..arguments import argument, at_least, others
from ..output import announce
from .recorder import recorder
from .report import Report
from .sources import count, find, pictures

PREDICT = ("imgsz", "conf", "iou", "classes", "device", "rect")


def read_points(text: str) -> list[tuple[float, float]]:
    """Points from `x,y;x,y`, brackets around and between them or not.

    Raises:
        ValueError: something else than pairs of numbers.
    """
    numbers = re.sub(r"[\[\]()]", " ", re.sub(r"[\])]\s*,", ";", text))
    try:
        return [(float(x), float(y)) for x, y in (pair.split(",") for pair in numbers.split(";") if pair.strip())]
    except ValueError:
        raise ValueError(f'yolo-cot attention needs points="x,y;x,y", in pixels of the image; got {text}.') from None


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot attention model=best.pt source=image.jpg"""

    model: str = argument("a checkpoint")
    source: str = argument("an image, a video or a folder of them")
    points: list[tuple[float, float]] = argument(
        "points to show, x,y;x,y in pixels of the image; the surest detections by default", (), read=read_points
    )
    max_det: int = argument("how many detections", 4, rule=at_least(1))
    vid_stride: int = argument("which frames of a video: every so many", 30, rule=at_least(1))
    project: Path | None = argument("the folder of runs; runs/attention by default", None)
    name: str | None = argument("the run's name; the source's by default", None)
    exist_ok: bool = argument("write into a folder that exists instead of a new one", False)
    settings: dict[str, Any] = others(f"Ultralytics' {', '.join(PREDICT)} of `predict`", known=PREDICT)


def main(arguments: Arguments) -> None:
    """Write the pages and say where.

    Raises:
        ValueError: a model without our blocks, or nothing to show.
        FileNotFoundError: no such model or source, or a folder without images and videos.
    """
    model, source = arguments.model, arguments.source
    files = find(source)
    with recorder(YOLO(model)) as (blocks, see):
        name = arguments.name or Path(source).resolve().stem
        folder = increment_path((arguments.project or RUNS_DIR / "attention") / name, exist_ok=arguments.exist_ok)
        # Every run's best is called best.pt; what tells it apart is the run's folder.
        parts = Path(model).parts[-3 if Path(model).parent.name == "weights" else -1 :]
        report = Report(folder, "/".join(parts))
        settings = {**arguments.settings, "max_det": arguments.max_det}
        try:
            readable = _readable(files, arguments.vid_stride, report)
            total = sum(count(file, arguments.vid_stride) for file in files)
            for title, picture in announce(readable, "picture", total):
                try:
                    report.add(title, blocks, see(picture, **settings), arguments.points)
                except ValueError as error:
                    report.skip(f"{title}: {error}")
        finally:  # also what an interrupted run has shown
            report.close()
    if not report.shown:
        raise ValueError(f"yolo-cot attention could show nothing of {source}. {report.skipped[0]}")
    pages = f"{len(report.shown)} picture{'s' * (len(report.shown) > 1)}, {len(blocks)} blocks"
    LOGGER.info(f"{pages}: {report.folder / 'index.html'}")


def _readable(files: list[Path], every: int, report: Report) -> Iterator[tuple[str, np.ndarray]]:
    """The pictures of all files; a file that has none is reported."""
    for file in files:
        empty = True
        for title, picture in pictures(file, every):
            empty = False
            yield title, picture
        if empty:
            report.skip(f"{file.name}: no picture can be read from it.")
