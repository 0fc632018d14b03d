"""Everything that `yolo-cot attention` writes: contact sheets, pages and numbers."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ultralytics.utils import LOGGER

from .page import NAMES, Sheet, Shown, index_page, picture_page
from .panels import panels
from .sheet import sheet
from .watch import Block, Seen


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

    def add(self, title: str, blocks: Sequence[Block], seen: Seen, points: Sequence[tuple[float, float]]) -> None:
        """Write the contact sheets of a picture.

        Args:
            title: the picture's name.
            blocks: the model's blocks.
            seen: what they looked at.
            points: where windows are shown; none takes the centres of the detections, or a grid if there are none.

        Raises:
            ValueError: a point outside the picture, or outside what the model sees of it.
        """
        at, chosen = choose(seen, points)
        name = self._name(title)
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        sheets: list[Sheet] = []
        for block, look in zip(blocks, seen.looks):
            found = panels(seen, look, at)
            if not sheets or look.windows is not None:  # the one that shows the points, if there is one
                self._save(f"{name}/picture.jpg", found[0].pixels)
            pixels, placed = sheet(found)
            file = f"{name}/{block.path.replace('.', '-')}-{block.name}.jpg"
            self._save(file, pixels)
            size = pixels.shape[1], pixels.shape[0]
            sheets.append(Sheet(block, file, size, placed, look.numbers, look.heads))
        self.shown.append(Shown(title, name, seen.place.image, at, chosen, sheets))
        LOGGER.info(f"{title}: {len(sheets)} contact sheets in {self.folder / name}")

    def _save(self, file: str, pixels: np.ndarray) -> None:
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
        (self.folder / file).write_bytes(data.tobytes())

    def _name(self, title: str) -> str:
        """A folder for a picture: its name without what paths and links dislike, different from the others'."""
        name = re.sub(r"[^\w-]+", "-", re.sub(r"\.\w+(?= frame |$)", "", title)).strip("-") or "picture"
        taken = {shown.folder for shown in self.shown}
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name}-{number}", number + 1
        return unique

    def close(self) -> None:
        """Write the pages, `numbers.csv` and `numbers.json`, if anything was shown."""
        if not self.shown:
            return
        several = len(self.shown) > 1
        for shown in self.shown:
            page = picture_page(shown, self.model, "../", several)
            (self.folder / shown.folder / "index.html").write_text(page, encoding="utf-8")
        if several or self.skipped:
            index = index_page(self.shown, self.model, self.skipped)
        else:
            index = picture_page(self.shown[0], self.model, "", several)
        (self.folder / "index.html").write_text(index, encoding="utf-8")
        self._write_numbers()

    def _write_numbers(self) -> None:
        """A row for each picture and block, and one for each head; the same as JSON, with the points."""
        rows: list[dict[str, Any]] = []
        listed: list[dict[str, Any]] = []
        for shown in self.shown:
            about = {"picture": shown.name, "width": shown.size[0], "height": shown.size[1], "points": shown.points}
            listed.append({**about, "blocks": []})
            for s in shown.sheets:
                block = {"row": s.block.row, "path": s.block.path, "block": s.block.name}
                listed[-1]["blocks"].append({**block, **s.numbers, "heads": list(s.heads)})
                for head, numbers in enumerate([s.numbers, *s.heads]):
                    rows.append({"picture": shown.name, **block, "head": head or "", **numbers})
        with (self.folder / "numbers.csv").open("w", encoding="utf-8", newline="") as file:
            columns = ["picture", "row", "path", "block", "head", *NAMES]
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
        (self.folder / "numbers.json").write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def choose(seen: Seen, points: Sequence[tuple[float, float]]) -> tuple[list[tuple[float, float]], str]:
    """The points whose windows are shown, and what they are.

    Raises:
        ValueError: a given point is outside the picture, or outside what the model sees of it.
    """
    if points:
        for x, y in points:
            seen.place.cell(x, y, (1, 1))
        return list(points), "as given"
    if seen.centres:
        return seen.centres, "centres of detections"
    x0, y0, x1, y1 = seen.place.seen()
    grid = [(x0 + (x1 - x0) * u, y0 + (y1 - y0) * v) for v in (0.25, 0.75) for u in (0.25, 0.75)]
    return grid, "a grid, as nothing was detected"
