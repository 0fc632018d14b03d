"""The contact sheet of a block: its panels in rows, each section from the left, captions below them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np

from ..montage import montage
from .panels import WIDTH, Panel

CAPTION, GAP = 46, 8  # height of the two lines of a caption; between panels
FEWEST, MOST = 4, 9  # panels in a row; as many as a section has, within these


class Placed(NamedTuple):
    """Where a panel's picture is on the sheet."""

    panel: Panel
    left: int
    top: int
    width: int
    height: int


class Section(NamedTuple):
    """A heading and the panels below it."""

    title: str
    panels: list[Placed]

    @property
    def abreast(self) -> int:
        """How many panels stand side by side on a page: many in two rows, those of a point windows over preferences."""
        return len(self.panels) if len(self.panels) <= 4 else (len(self.panels) + 1) // 2


def sheet(panels: Sequence[Panel]) -> tuple[np.ndarray, list[Section]]:
    """Draw the sheet, BGR, and tell where each panel's picture stands on it."""
    groups = [(title, list(group)) for title, group in groupby(panels, key=lambda panel: panel.section)]
    columns = min(max(FEWEST, *(len(group) for _, group in groups)), MOST)
    wide, tall = WIDTH + GAP, max(panel.pixels.shape[0] for panel in panels) + CAPTION
    cells: list[np.ndarray] = []
    sections = []
    for title, group in groups:
        placed = []
        for panel in group:
            height, width = panel.pixels.shape[:2]
            placed.append(Placed(panel, len(cells) % columns * wide, len(cells) // columns * tall, width, height))
            cell = np.full((tall, wide, 3), 255, np.uint8)
            cell[:height, :width] = panel.pixels
            _caption(cell, f"{title}: {panel.title}", height + 18)
            _caption(cell, panel.detail, height + 38)
            cells.append(cell)
        cells += [np.full((tall, wide, 3), 255, np.uint8)] * (-len(cells) % columns)
        sections.append(Section(title, placed))
    return montage(cells, columns), sections


def _caption(cell: np.ndarray, text: str, bottom: int) -> None:
    """Write a line no wider than a panel, smaller if it is long."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.5
    wide = cv2.getTextSize(text, font, size, 1)[0][0]
    cv2.putText(cell, text, (2, bottom), font, size * min(1, (WIDTH - 4) / max(wide, 1)), (40, 40, 40), 1, cv2.LINE_AA)
