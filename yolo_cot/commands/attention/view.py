"""A view: a rectangle of the image drawn at some size, with feature cells laid over it where they belong."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np

from .place import Placement

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

    def lay(self, values: np.ndarray) -> None:
        """Lay a whole map, (rows, columns) of values from 0 to 1, over what it covers of the image."""
        columns = self._inside(self.place.cells(self._axes[0], values.shape[1], 0), 0)
        rows = self._inside(self.place.cells(self._axes[1], values.shape[0], 1), 1)
        self._blend(values[np.ix_(rows, columns)], (rows >= 0)[:, None] & (columns >= 0))

    def lay_window(
        self, values: np.ndarray, row: int, column: int, size: tuple[int, int], scale: str = AMOUNT
    ) -> tuple[int, int]:
        """Lay a window of values from 0 to 1 around a cell of a map of `size`, and frame it.

        Cells of the window beyond the map are drawn beyond the image's edge where the view reaches that far.

        Returns:
            The view's pixel at the window's upper left corner.
        """
        side, (rows, columns) = values.shape[0], size
        edges = []
        for axis, middle, count in ((0, column, columns), (1, row, rows)):
            first = middle - side // 2
            edges.append([self.place.edge(first + n, count, axis) for n in range(side + 1)])
        xs, ys = (np.searchsorted(edge, at, side="right") - 1 for edge, at in zip(edges, self._axes))
        xs, ys = (np.where((index >= 0) & (index < side), index, -1) for index in (xs, ys))
        self._blend(values[np.ix_(ys, xs)], (ys >= 0)[:, None] & (xs >= 0), scale)
        first, last = (self.at(edges[0][end], edges[1][end]) for end in (0, -1))
        cv2.rectangle(self.pixels, first, last, FRAME, 1)
        return first

    def _inside(self, cells: np.ndarray, axis: int) -> np.ndarray:
        """Cells, but -1 beyond the image: the padding of the model's input is no part of it."""
        at = self._axes[axis]
        return np.where((at >= 0) & (at < self.place.image[axis]), cells, -1)

    def _blend(self, values: np.ndarray, where: np.ndarray, scale: str = AMOUNT) -> None:
        mixed = cv2.addWeighted(self.pixels, 1 - OPACITY, colours(values, scale), OPACITY, 0)
        self.pixels[where] = mixed[where]

    def mark(self, x: float, y: float, label: str = "") -> None:
        """Mark a point of the image with a ring, and name it."""
        centre = self.at(x, y)
        for colour, width in (((0, 0, 0), 3), (FRAME, 1)):
            cv2.circle(self.pixels, centre, 4, colour, width, cv2.LINE_AA)
        if label:
            self.name(label, (centre[0] + 7, centre[1] - 18))

    def name(self, text: str, corner: tuple[int, int]) -> None:
        """Write a label, white on black, with its upper left corner at a pixel, kept inside the view."""
        wide, tall = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0]
        left = min(max(corner[0], 0), self.width - wide - 5)
        top = min(max(corner[1], 0), self.height - tall - 6)
        cv2.rectangle(self.pixels, (left, top), (left + wide + 4, top + tall + 5), (0, 0, 0), -1)
        at = (left + 2, top + tall + 2)
        cv2.putText(self.pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, FRAME, 1, cv2.LINE_AA)
