"""Where a cell of a feature map lies in the image: what Ultralytics' preprocessing does to coordinates, both ways.

Coordinates are continuous, in pixels: a picture of width w reaches from 0 to w, its first pixel's centre is at 0.5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from ultralytics.models.rtdetr import RTDETRPredictor


class Placement(NamedTuple):
    """The model's input as a scaled and shifted copy of the image: input = scale * image + shift, for x and for y.

    Attributes:
        scale: of x and of y.
        shift: of x and of y, in pixels of the input; negative where the image was cropped.
        image: width and height of the image.
        input: width and height of the model's input.
    """

    scale: tuple[float, float]
    shift: tuple[float, float]
    image: tuple[int, int]
    input: tuple[int, int]

    def cell(self, x: float, y: float, size: tuple[int, int]) -> tuple[int, int]:
        """Row and column of the cell that holds a point of the image, in a map of `size` (height, width).

        Raises:
            ValueError: the point is not in the image, or not in the part of it that the model is given.
        """
        if not (0 <= x < self.image[0] and 0 <= y < self.image[1]):
            raise ValueError(
                f"A point needs to lie in the image of {self.image[0]} x {self.image[1]} pixels; got {x:g},{y:g}."
            )
        row, column = int(self.cells(np.array(y), size[0], 1)), int(self.cells(np.array(x), size[1], 0))
        if not (0 <= row < size[0] and 0 <= column < size[1]):
            x0, y0, x1, y1 = self.seen()
            raise ValueError(
                f"A point needs to lie in the part of the image that the model sees, {x0:g},{y0:g} to {x1:g},{y1:g} "
                f"(the middle, as classifiers crop it); got {x:g},{y:g}."
            )
        return row, column

    def cells(self, at: np.ndarray, count: int, axis: int) -> np.ndarray:
        """For coordinates of the image along an axis (0 is x), which cell of `count` holds them; it may lie outside."""
        inside = self.scale[axis] * at + self.shift[axis]
        return np.floor(inside / (self.input[axis] / count)).astype(int)

    def edge(self, index: float, count: int, axis: int) -> float:
        """Where, in the image, the cell `index` of `count` begins along an axis."""
        return (index * self.input[axis] / count - self.shift[axis]) / self.scale[axis]

    def seen(self) -> tuple[float, float, float, float]:
        """The part of the image that the model is given: x0, y0, x1, y1."""
        (x0, y0), (x1, y1) = ([self.edge(end, 1, axis) for axis in (0, 1)] for end in (0, 1))
        return max(x0, 0.0), max(y0, 0.0), min(x1, float(self.image[0])), min(y1, float(self.image[1]))


def placement(predictor: Any, image: tuple[int, int], given: tuple[int, int]) -> Placement:
    """The placement that a predictor of Ultralytics has used.

    Args:
        predictor: the predictor, after it has been run; classifiers resize and crop, RT-DETR stretches, the rest pads.
        image: width and height of the image.
        given: width and height of the model's input.
    """
    width, height = image
    size = (int(predictor.imgsz[1]), int(predictor.imgsz[0]))
    if predictor.args.task == "classify":
        return _cropped(image, given, size)
    if isinstance(predictor, RTDETRPredictor):
        return Placement((given[0] / width, given[1] / height), (0.0, 0.0), image, given)
    # As LetterBox: one ratio, sizes rounded to pixels, the larger half of the padding right and below.
    ratio = min(size[0] / width, size[1] / height)
    resized = max(round(width * ratio), 1), max(round(height * ratio), 1)
    left, top = (round((whole - part) / 2 - 0.1) for whole, part in zip(given, resized))
    return Placement((resized[0] / width, resized[1] / height), (float(left), float(top)), image, given)


def _cropped(image: tuple[int, int], given: tuple[int, int], size: tuple[int, int]) -> Placement:
    """As torchvision's Resize and CenterCrop: the shorter side becomes the square's, then the middle is taken."""
    resized = size
    if size[0] == size[1]:
        short = min(image)
        resized = int(size[0] * image[0] / short), int(size[0] * image[1] / short)
    shift = [-round((part - whole) / 2) for whole, part in zip(given, resized)]
    scale = resized[0] / image[0], resized[1] / image[1]
    return Placement(scale, (float(shift[0]), float(shift[1])), image, given)
