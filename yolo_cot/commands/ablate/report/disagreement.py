"""Where two models differ: objects that one of them finds and the other misses, counted and shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...montage import montage
from .. import detections
from ..plan import Run
from ..results import Pair, Results
from .document import Picture, Table
from .tables import NOTE, mean

CONFIDENCE, OVERLAP = 0.25, 0.5
# Of each kind so many objects are shown, in squares of so many pixels.
SHOWN, SIDE = 6, 180
GREEN, RED = (60, 160, 40), (40, 40, 220)


def both_found(results: Results, pair: Pair) -> dict[int, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """By seed, for every object that is there, whether the one model and the other found it."""
    found = {}
    for seed in sorted(results.runs[pair.model].keys() & results.runs[pair.other].keys()):
        two = [detections.load(Run(results.plan, label, seed).folder) for label in (pair.model, pair.other)]
        if two[0] is not None and two[1] is not None:
            a, b = (detections.found(one, CONFIDENCE, OVERLAP) for one in two if one is not None)
            found[seed] = a, b
    return found


def found_table(results: Results) -> Table | None:
    """How many objects both, one or none of two models find; None where no boxes are kept."""
    rows = []
    for pair in results.pairs():
        seeds = both_found(results, pair).values()
        counts = [[(a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()] for a, b in seeds]
        if counts:
            rows.append([pair.name, str(len(counts)), *(mean(map(float, of), 1) for of in zip(*counts))])
    caption = (
        f"Objects found: a box of the right class with a confidence of {CONFIDENCE} or more that overlaps by "
        f"{OVERLAP} or more. {NOTE}"
    )
    header = ["comparison", "seeds", "by both", "only by the first", "only by the second", "by neither"]
    return Table("found", caption, header, rows) if rows else None


def pictures(results: Results, folder: Path) -> list[Picture]:
    """Objects that one model finds and its base misses, and the other way round, with the first seed of both."""
    made = []
    for pair in (pair for pair in results.pairs() if "base" in pair.roles):
        for seed, (a, b) in list(both_found(results, pair).items())[:1]:
            boxes = detections.load(Run(results.plan, pair.model, seed).folder)
            for which, missed, colour in ((a & ~b, pair.other, GREEN), (b & ~a, pair.model, RED)):
                finder = pair.model if missed == pair.other else pair.other
                if boxes is None or not which.any():
                    continue
                # Evenly from all of them, for the first ones may all be of one picture.
                chosen = np.flatnonzero(which)
                chosen = chosen[np.linspace(0, len(chosen) - 1, min(SHOWN, len(chosen))).astype(int)]
                cells = [cell for i in chosen if (cell := cut_out(boxes, int(i), colour)) is not None]
                if cells:
                    file = folder / f"only-{finder}-not-{missed}.jpg"
                    cv2.imwrite(str(file), montage(cells, 3))
                    count = f"{len(cells)} of the {int(which.sum())} objects"
                    made.append(Picture(file, f"Found by {finder}, missed by {missed}: {count}, seed {seed}."))
    return made


def cut_out(boxes: detections.Detections, number: int, colour: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """An object with its surroundings, and its box; None where the picture is not there any more."""
    picture = cv2.imread(str(boxes.files[boxes.there_image[number]]))
    if picture is None:
        return None
    x1, y1, x2, y2 = boxes.there_box[number]
    side = int(max(48, 2.5 * max(x2 - x1, y2 - y1)))
    left, top = int((x1 + x2 - side) / 2), int((y1 + y2 - side) / 2)
    padded = cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_CONSTANT, value=(235, 235, 235))
    cell = padded[top + side : top + 2 * side, left + side : left + 2 * side]
    scale = SIDE / side
    cell = cv2.resize(cell, (SIDE, SIDE), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    corners = [int(scale * v) for v in (x1 - left, y1 - top, x2 - left, y2 - top)]
    cv2.rectangle(cell, corners[:2], corners[2:], colour, 2)
    return cv2.copyMakeBorder(cell, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(255, 255, 255))
