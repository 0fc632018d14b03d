"""Everything that `yolo-cot attention` writes: contact sheets, pages and numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from ultralytics.utils import LOGGER

from ..output import write_cells
from ..templates import render
from .panels import WIDTH, Point, overview, panels
from .reading import Reading
from .recorder import Block, Recording
from .sheet import Section, sheet

NAMES = {
    "entropy": "entropy, nats",
    "entropy_relative": "entropy, 1 = no preference",
    "dynamic_share": "share of the dynamic branch",
    "dynamic_rms": "dynamic branch, RMS",
    "static_rms": "static branch, RMS",
    "fusion_share": "dynamic share in the fusion",
    "gate_abs": "gate, mean |gamma|",
    "gate_mean": "gate, mean gamma",
}


class Numbers(NamedTuple):
    """A table of numbers: names of the columns behind the first; titles and cells, empty where there is no number."""

    header: list[str]
    rows: list[tuple[str, list[str]]]


class Sheet(NamedTuple):
    """A block's contact sheet of one picture: its file, relative to the index, width and height, and what is on it."""

    block: Block
    reading: Reading
    file: str
    size: tuple[int, int]
    sections: list[Section]

    @property
    def heads(self) -> Numbers:
        """The numbers of the heads."""
        return table([(f"head {n}", numbers) for n, numbers in enumerate(self.reading.heads, 1)])


class Shown(NamedTuple):
    """A picture on the pages: its name, the folder of its page, its size, and the points that are shown."""

    name: str
    folder: str
    size: tuple[int, int]
    points: list[Point]
    chosen: str
    sheets: list[Sheet]


class Report:
    """The folder of a run: pictures are added one by one, `close` writes pages and numbers.

    Args:
        folder: where to write; made when there is something to write.
        model: the model's name, for the pages.
    """

    def __init__(self, folder: Path, model: str):
        self.folder, self.model = folder, model
        self.shown: list[Shown] = []
        self.skipped: list[str] = []

    def skip(self, why: str) -> None:
        """Note, and say, that something is left out."""
        self.skipped.append(why)
        LOGGER.warning(why)

    def add(self, title: str, blocks: Sequence[Block], recording: Recording, points: Sequence[Point]) -> None:
        """Write the contact sheets of a picture.

        Args:
            title: the picture's name.
            blocks: the model's blocks.
            recording: what they look at.
            points: where windows are shown; none takes the centres of the detections, or a grid if there are none.

        Raises:
            ValueError: a point outside the picture, or outside what the model sees of it.
        """
        at, chosen = choose(recording, points)
        name = self._name(title)
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        marked = at if any(reading.windows is not None for reading in recording.readings) else []
        self._save(f"{name}/picture.jpg", overview(recording, marked, 2 * WIDTH).pixels)
        sheets: list[Sheet] = []
        for block, reading in zip(blocks, recording.readings):
            pixels, sections = sheet(panels(recording, reading, at))
            file = f"{name}/{block.path.replace('.', '-')}-{block.name}.jpg"
            self._save(file, pixels)
            sheets.append(Sheet(block, reading, file, (pixels.shape[1], pixels.shape[0]), sections))
        self.shown.append(Shown(title, name, recording.placement.image, at, chosen, sheets))
        LOGGER.info(f"{title}: {len(sheets)} contact sheets in {self.folder / name}")

    def _save(self, file: str, pixels: np.ndarray) -> None:
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
        (self.folder / file).write_bytes(data.tobytes())

    def _name(self, title: str) -> str:
        """A folder for a picture: its name without what paths and links dislike, different from the others'."""
        name = re.sub(r"[^\w-]+", "-", re.sub(r"\.\w+(?= frame |$)", "", title)).strip("-") or "picture"
        taken = {shown.folder for shown in self.shown}
        return next(n for n in chain([name], (f"{name}-{i}" for i in count(2))) if n not in taken)

    def close(self) -> None:
        """Write the pages, `numbers.csv` and `numbers.json`, if anything was shown."""
        if not self.shown:
            return
        for shown in self.shown:
            self._page(f"{shown.folder}/index.html", shown, "../")
        self._page("index.html", None if len(self.shown) > 1 or self.skipped else self.shown[0], "")
        self._write_numbers()

    def _page(self, file: str, shown: Shown | None, root: str) -> None:
        """Write the page of a picture, or the index; `root` is how its links reach the index's folder."""
        known = {"model": self.model, "all_shown": self.shown, "skipped": self.skipped, "root": root}
        page = render("attention/page.html.j2", shown=shown, means=means([shown] if shown else self.shown), **known)
        (self.folder / file).write_text(page, encoding="utf-8")

    def _write_numbers(self) -> None:
        """A row for each picture and block, and one for each head; the same as JSON, with the points."""
        listed: list[dict[str, Any]] = []
        lines: list[list[Any]] = [["picture", "row", "path", "block", "head", *NAMES]]
        for shown in self.shown:
            width, height = shown.size
            blocks: list[dict[str, Any]] = []
            for s in shown.sheets:
                block = {"row": s.block.row, "path": s.block.path, "block": s.block.name}
                blocks.append({**block, **s.reading.numbers, "heads": s.reading.heads})
                for head, numbers in enumerate([s.reading.numbers, *s.reading.heads]):
                    cells = [f"{numbers[name]:.6g}" if name in numbers else "" for name in NAMES]
                    lines.append([shown.name, *block.values(), head or "", *cells])
            about = {"picture": shown.name, "width": width, "height": height, "points": shown.points}
            listed.append({**about, "blocks": blocks})
        write_cells(self.folder / "numbers.csv", lines)
        (self.folder / "numbers.json").write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def table(rows: Sequence[tuple[str, Mapping[str, float]]]) -> Numbers:
    """Rows of a title and numbers, with the columns that any of them has."""
    used = {key: name for key, name in NAMES.items() if any(key in numbers for _, numbers in rows)}
    cells = [(title, [f"{numbers[k]:.4g}" if k in numbers else "" for k in used]) for title, numbers in rows]
    return Numbers(list(used.values()), cells)


def means(all_shown: Sequence[Shown]) -> Numbers:
    """A row for each block: the means of its numbers over the pictures that it has them for."""
    rows = []
    for sheets in zip(*(shown.sheets for shown in all_shown)):
        counted = {key: [s.reading.numbers[key] for s in sheets if key in s.reading.numbers] for key in NAMES}
        rows.append((sheets[0].block.title, {key: sum(v) / len(v) for key, v in counted.items() if v}))
    return table(rows)


def choose(recording: Recording, points: Sequence[Point]) -> tuple[list[Point], str]:
    """The points whose windows are shown, and what they are.

    Raises:
        ValueError: a given point is outside the picture, or outside what the model sees of it.
    """
    if points:
        for x, y in points:
            recording.placement.cell(x, y, (1, 1))
        return list(points), "as given"
    if recording.centres:
        return recording.centres, "centres of detections"
    x0, y0, x1, y1 = recording.placement.seen()
    grid = [(x0 + (x1 - x0) * u, y0 + (y1 - y0) * v) for v in (0.25, 0.75) for u in (0.25, 0.75)]
    return grid, "a grid, as nothing was detected"
