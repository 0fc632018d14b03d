"""The contact sheet of a block: its panels in rows, captions below them."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np

from .panels import INK, WIDTH, Panel

CAPTION = 46  # height of the two lines
GAP = 8
FEWEST, MOST = 4, 8  # panels in a full row; as many as there are heads, within these


class Placed(NamedTuple):
    """A panel on the sheet: its words, how many stand in its row, and where its picture is."""

    section: str
    title: str
    detail: str
    abreast: int
    left: int
    top: int
    width: int
    height: int


def sheet(panels: list[Panel]) -> tuple[np.ndarray, list[Placed]]:
    """Set panels into rows; short rows that follow one another are joined.

    Returns:
        The sheet, BGR, and where each panel's picture stands in it.
    """
    rows = [list(row) for _, row in groupby(panels, key=lambda panel: (panel.section, panel.row))]
    columns = min(max(FEWEST, *map(len, rows)), MOST)
    joined: list[list[tuple[Panel, int]]] = []
    for row in rows:
        for start in range(0, len(row), columns):
            part = [(panel, len(row)) for panel in row[start : start + columns]]
            if joined and len(joined[-1]) + len(part) <= columns:
                joined[-1] += part
            else:
                joined.append(part)
    tall = panels[0].pixels.shape[0]
    step = WIDTH + GAP, tall + CAPTION + GAP
    size = len(joined) * step[1] + GAP, max(map(len, joined)) * step[0] + GAP
    canvas = np.full((*size, 3), 255, np.uint8)
    placed = []
    for i, parts in enumerate(joined):
        for j, (panel, abreast) in enumerate(parts):
            left, top = GAP + j * step[0], GAP + i * step[1]
            canvas[top : top + tall, left : left + WIDTH] = panel.pixels
            _caption(canvas, panel.title, (left + 2, top + tall + 18))
            _caption(canvas, panel.detail, (left + 2, top + tall + 38))
            placed.append(Placed(panel.section, panel.title, panel.detail, abreast, left, top, WIDTH, tall))
    return canvas, placed


def _caption(canvas: np.ndarray, text: str, at: tuple[int, int]) -> None:
    """Write a line no wider than a panel, smaller if it is long."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.5
    wide = cv2.getTextSize(text, font, size, 1)[0][0]
    cv2.putText(canvas, text, at, font, size * min(1, (WIDTH - 4) / max(wide, 1)), INK, 1, cv2.LINE_AA)
