"""A view: a rectangle of the image drawn at some size, with feature cells laid over it where they belong."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np

from .placement import Placement

OUTSIDE = 235  # grey of what lies beyond the image
OPACITY = 0.6
FRAME = (255, 255, 255)


AMOUNT, PREFERENCE = "inferno", "RdBu_r"  # matplotlib's names: dark to bright; blue over white to red


def colours(values: np.ndarray, scale: str = AMOUNT) -> np.ndarray:
    """Colours, BGR, of values from 0 to 1 on one of matplotlib's scales."""
    from matplotlib import colormaps

    return colormaps[scale](np.clip(values, 0, 1), bytes=True)[..., 2::-1]


class View:
    """A rectangle of the image, scaled to `width` x `height` pixels.

    Args:
        picture: the image, BGR.
        place: where the model's input lies in it.
        rectangle: x0, y0, x1, y1 in pixels of the image; it may reach beyond it. It is widened to the view's aspect.
        width, height: size of the view.
    """

    def __init__(
        self,
        picture: np.ndarray,
        place: Placement,
        rectangle: tuple[float, float, float, float],
        width: int,
        height: int,
    ):
        x0, y0, x1, y1 = rectangle
        self.scale = min(width / (x1 - x0), height / (y1 - y0))
        self.left = (x0 + x1) / 2 - width / self.scale / 2
        self.top = (y0 + y1) / 2 - height / self.scale / 2
        self.place, self.width, self.height = place, width, height
        self.pixels = self._draw(picture)

    def _draw(self, picture: np.ndarray) -> np.ndarray:
        # In continuous coordinates view = (image - left) * scale; OpenCV counts from pixel centres, half a pixel later.
        shrunk, factor = picture, 1.0
        if self.scale < 0.5:  # averaged first, or thin lines would vanish
            size = [max(round(n * self.scale * 2), 1) for n in picture.shape[1::-1]]
            shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            factor = size[0] / picture.shape[1]
        scale = self.scale / factor
        shift = [-start * self.scale + scale / 2 - 0.5 for start in (self.left, self.top)]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        pixels = cv2.warpAffine(shrunk, matrix, (self.width, self.height), borderMode=cv2.BORDER_REPLICATE)
        for axis, part in ((0, pixels.transpose(1, 0, 2)), (1, pixels)):
            part[(self._axes[axis] < 0) | (self._axes[axis] >= self.place.image[axis])] = OUTSIDE
        return pixels

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates, in the image, of the centres of the view's columns and rows."""
        return (
            self.left + (np.arange(self.width) + 0.5) / self.scale,
            self.top + (np.arange(self.height) + 0.5) / self.scale,
        )

    def at(self, x: float, y: float) -> tuple[int, int]:
        """The view's pixel that shows a point of the image."""
        return int((x - self.left) * self.scale), int((y - self.top) * self.scale)

    def lay(
        self,
        values: np.ndarray,
        row: int = 0,
        column: int = 0,
        size: tuple[int, int] | None = None,
        scale: str = AMOUNT,
    ) -> None:
        """Lay values from 0 to 1 over the cells that they belong to.

        Args:
            values: a whole map, which covers the image and nothing else; or, with a `size`, a window of such a map,
                whose cells beyond the map are drawn beyond the image's edge where the view reaches that far.
            row, column: the cell of the map that the first value belongs to.
            size: rows and columns of the map.
            scale: AMOUNT or PREFERENCE.
        """
        picked, shown = [], []
        for axis, first in ((1, row), (0, column)):
            index = self.place.cells(self._axes[axis], (size or values.shape)[1 - axis], axis) - first
            count = values.shape[1 - axis]
            inside = (index >= 0) & (index < count)
            if size is None:
                inside &= (self._axes[axis] >= 0) & (self._axes[axis] < self.place.image[axis])
            picked.append(np.clip(index, 0, count - 1))
            shown.append(inside)
        mixed = cv2.addWeighted(self.pixels, 1 - OPACITY, colours(values[np.ix_(*picked)], scale), OPACITY, 0)
        where = np.logical_and.outer(*shown)
        self.pixels[where] = mixed[where]

    def frame(self, row: int, column: int, size: tuple[int, int]) -> None:
        """Draw a frame around a cell of a map of `size`."""
        first, last = (
            self.at(self.place.edge(column + end, size[1], 0), self.place.edge(row + end, size[0], 1)) for end in (0, 1)
        )
        for colour, width in (((0, 0, 0), 3), (FRAME, 1)):
            cv2.rectangle(self.pixels, first, last, colour, width)

    def mark(self, x: float, y: float, label: str) -> None:
        """Mark a point of the image with a ring, and its label beside it, white on black, kept inside the view."""
        centre = self.at(x, y)
        for colour, width in (((0, 0, 0), 3), (FRAME, 1)):
            cv2.circle(self.pixels, centre, 4, colour, width, cv2.LINE_AA)
        wide, tall = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0]
        left = min(max(centre[0] + 7, 0), self.width - wide - 5)
        top = min(max(centre[1] - 18, 0), self.height - tall - 6)
        cv2.rectangle(self.pixels, (left, top), (left + wide + 4, top + tall + 5), (0, 0, 0), -1)
        at = (left + 2, top + tall + 2)
        cv2.putText(self.pixels, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, FRAME, 1, cv2.LINE_AA)
