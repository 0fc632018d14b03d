"""`yolo-cot attention`: pictures and numbers of what each block of a trained model looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ultralytics import YOLO
from ultralytics.utils import LOGGER, RUNS_DIR
from ultralytics.utils.files import increment_path

from .sources import find, pictures
from .watch import Watch
from .write import Report

PREDICT = ("imgsz", "conf", "iou", "classes", "device", "rect")
KEYS = ("model", "source", "points", "max_det", "vid_stride", "project", "name", "exist_ok", *PREDICT)


def main(overrides: dict[str, object]) -> None:
    """Write the pages and say where.

    Args:
        overrides: `model`, a checkpoint; `source`, an image, a video or a folder; `points`, x,y;x,y in pixels of the
            image (the surest detections by default); `max_det` (4), how many of those; `vid_stride` (30), which frames
            of a video; `project` (runs/attention), `name` (the source's) and `exist_ok`, as Ultralytics has them; and
            its `imgsz`, `conf`, `iou`, `classes`, `device` and `rect`.

    Raises:
        ValueError: an argument that does not exist or does not fit, a model without our blocks, or nothing to show.
        FileNotFoundError: no such model or source, or a folder without images and videos.
    """
    unknown = sorted(set(overrides) - set(KEYS))
    missing = [key for key in ("model", "source") if not overrides.get(key)]
    if unknown or missing:
        got = f"got {', '.join(unknown)}" if unknown else f"{missing[0]}= is missing"
        raise ValueError(
            f"yolo-cot attention takes {'=, '.join(KEYS)}=; {got}. "
            f"Example: yolo-cot attention model=best.pt source=image.jpg."
        )
    model, source = str(overrides["model"]), str(overrides["source"])
    every, most = _count(overrides, "vid_stride", 30), _count(overrides, "max_det", 4)
    points = read_points(overrides.get("points"))
    files = find(source)
    settings: dict[str, Any] = {key: overrides[key] for key in PREDICT if key in overrides}
    with Watch(YOLO(model)) as watch:
        project = Path(str(overrides.get("project") or RUNS_DIR / "attention"))
        name = str(overrides.get("name") or Path(source).resolve().stem)
        folder = increment_path(project / name, exist_ok=bool(overrides.get("exist_ok")))
        # Every run's best is called best.pt; what tells it apart is the run's folder.
        parts = Path(model).parts[-3 if Path(model).parent.name == "weights" else -1 :]
        report = Report(folder, "/".join(parts))
        try:
            for title, picture in _readable(files, every, report):
                try:
                    report.add(title, watch.blocks, watch.see(picture, max_det=most, **settings), points)
                except ValueError as error:
                    report.skip(f"{title}: {error}")
        finally:  # also what an interrupted run has shown
            report.close()
    if not report.shown:
        raise ValueError(f"yolo-cot attention could show nothing of {source}. {report.skipped[0]}")
    pages = f"{len(report.shown)} picture{'s' * (len(report.shown) > 1)}, {len(watch.blocks)} blocks"
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


def _count(overrides: dict[str, object], key: str, default: int) -> int:
    value = overrides.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"yolo-cot attention needs {key} as a whole number of at least 1; got {value}.")
    return value


def read_points(value: object) -> list[tuple[float, float]]:
    """Points from `x,y;x,y`, or from the numbers that the command line has made of it; none from None.

    Raises:
        ValueError: something else than pairs of numbers.
    """
    if value is None:
        return []
    # A single x,y arrives as a tuple, [[x,y],[x,y]] as a list; written out, both are like the text.
    numbers = re.sub(r"[\[\]()]", " ", re.sub(r"\)\s*,|\]\s*,", ";", str(value)))
    try:
        return [(float(x), float(y)) for x, y in (pair.split(",") for pair in numbers.split(";") if pair.strip())]
    except ValueError:
        raise ValueError(f'yolo-cot attention needs points="x,y;x,y", in pixels of the image; got {value}.') from None
