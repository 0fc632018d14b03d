"""One picture of the embedded data set: flat shapes on textured ground, with the tight box of each shape.

Every number comes from one `numpy.random.RandomState`, whose stream NumPy keeps frozen, and every pixel from integer or
element-wise arithmetic, so that a seed gives the same picture on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = ("ellipse", "ring", "triangle", "rectangle", "cross", "crescent")

MIN_INSIDE = 0.6  # least part of a shape's area that lies inside the frame
MIN_VISIBLE = 0.5  # least part of a shape's area inside the frame that later shapes leave uncovered
_OVERSAMPLING = 4  # masks are drawn this many times larger, so boxes are exact to a quarter of a pixel
_TRIES = 20  # positions tried before a shape that would break the two rules above is left out


@dataclass
class Scene:
    """A picture and its labels, shapes in the order in which they were painted.

    Attributes:
        image: (S, S, 3) uint8, BGR.
        classes: (N,) indices into `CLASSES`.
        boxes: (N, 4) x1 y1 x2 y2 in pixels: the whole shape inside the frame, parts under later shapes included.
        masks: (N, S, S) uint8, 0 to 255: how much of each pixel the whole shape covers.
    """

    image: NDArray[np.uint8]
    classes: NDArray[np.int64]
    boxes: NDArray[np.float64]
    masks: NDArray[np.uint8]


def outline(name: str) -> list[NDArray[np.float64]]:
    """Contours of a shape of radius 1 around the origin, filled by the even-odd rule.

    Args:
        name: one of `CLASSES`.

    Returns:
        Arrays of (points, 2): the outer contour, then the hole if the shape has one.
    """

    def polar(radii: list[float], start: float = 0.0) -> NDArray[np.float64]:
        angles = start + np.arange(len(radii)) * (2 * math.pi / len(radii))
        return np.stack([np.cos(angles), np.sin(angles)], 1) * np.asarray(radii)[:, None]

    if name == "ellipse":
        return [polar([1.0] * 64)]
    if name == "ring":
        return [polar([1.0] * 64), polar([0.55] * 64)]
    if name == "triangle":
        return [polar([1.0] * 3)]
    if name == "rectangle":
        return [polar([1.0] * 4, math.pi / 4)]
    if name == "cross":
        a, b = 0.3, 0.95
        corners = [(b, a), (a, a), (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a), (-a, -b), (a, -b), (a, -a)]
        return [np.array([*corners, (b, -a)])]
    if name == "crescent":
        # A disc of radius 1 without a disc of radius `r` whose centre lies `d` to the right.
        r, d = 0.85, 0.55
        x = (1 - r * r + d * d) / (2 * d)
        outer, inner = math.acos(x), math.acos((x - d) / r)
        t = np.linspace(outer, 2 * math.pi - outer, 48)
        s = np.linspace(2 * math.pi - inner, inner, 48)[1:-1]
        far, near = np.stack([np.cos(t), np.sin(t)], 1), np.stack([d + r * np.cos(s), r * np.sin(s)], 1)
        return [np.concatenate([far, near])]
    raise ValueError(f"No shape is called {name!r}. Known shapes: {', '.join(CLASSES)}.")


def draw(rng: np.random.RandomState, size: int = 128) -> Scene:
    """Draw one picture.

    One to nine shapes, from about 10 pixels to 60 % of the picture at the default size, turned by any angle, squeezed,
    partly outside the frame or behind one another, in colours that may come close to the ground's. No shape has more
    than `1 - MIN_INSIDE` of its area outside or more than `1 - MIN_VISIBLE` of the rest hidden: a place that would
    break this is drawn again, and after some tries the shape is left out. So everything that shows is labelled.

    Args:
        rng: source of every choice.
        size: side of the picture in pixels.
    """
    image = _ground(rng, size)
    classes: list[int] = []
    boxes: list[tuple[float, float, float, float]] = []
    masks: list[NDArray[np.uint8]] = []
    visible: list[NDArray[np.bool_]] = []
    for _ in range(rng.randint(1, 10)):
        label = rng.randint(len(CLASSES))
        radius = size * math.exp(rng.uniform(math.log(0.045), math.log(0.3)))
        for _ in range(_TRIES):
            angle, squeeze, centre = rng.uniform(0, 2 * math.pi), rng.uniform(0.7, 1.0), rng.uniform(0, size, 2)
            placed = place(CLASSES[label], radius, angle, squeeze, centre, size)
            if placed is None:
                continue
            mask, box = placed
            covered = mask > 127
            if all((seen & ~covered).sum() >= MIN_VISIBLE * (m > 127).sum() for seen, m in zip(visible, masks)):
                visible = [seen & ~covered for seen in visible] + [covered]
                _paint(rng, image, mask)
                classes.append(label)
                boxes.append(box)
                masks.append(mask)
                break
    return Scene(
        _camera(rng, image),
        np.array(classes, dtype=np.int64),
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(masks, dtype=np.uint8).reshape(-1, size, size),
    )


def place(
    name: str, radius: float, angle: float, squeeze: float, centre: NDArray[np.float64], size: int
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]] | None:
    """Mask and box of a shape in a picture, or None if less than `MIN_INSIDE` of its area lies inside the frame.

    Args:
        name: one of `CLASSES`.
        radius: of the shape, in pixels.
        angle: that it is turned by, in radians.
        squeeze: factor across its axis, before it is turned.
        centre: x and y in pixels, from the picture's upper left corner.
        size: side of the picture.
    """
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    contours = [(c * (1, squeeze)) @ turn * radius + centre for c in outline(name)]

    large = _fill(contours, size)
    area = cv2.contourArea(contours[0].astype(np.float32)) - sum(
        cv2.contourArea(c.astype(np.float32)) for c in contours[1:]
    )
    if np.count_nonzero(large) < MIN_INSIDE * area * _OVERSAMPLING**2:
        return None
    x, y, w, h = (side / _OVERSAMPLING for side in cv2.boundingRect(large))
    return _shrink(large), (x, y, x + w, y + h)


def _fill(contours: list[NDArray[np.float64]], size: int) -> NDArray[np.uint8]:
    """Even-odd fill, 0 or 255 at the centres of pixels `_OVERSAMPLING` times smaller than the picture's.

    Not `cv2.fillPoly`, whose edges differ from release to release of OpenCV.
    """
    side = size * _OVERSAMPLING
    centres = np.arange(side) + 0.5
    filled = np.zeros((side, side), np.uint8)
    rows, columns = [], []
    for contour in contours:
        x1, y1 = contour.T * _OVERSAMPLING
        x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
        row, edge = np.nonzero((y1 <= centres[:, None]) != (y2 <= centres[:, None]))
        x = x1[edge] + (centres[row] - y1[edge]) * (x2 - x1)[edge] / (y2 - y1)[edge]
        rows.append(row)
        columns.append(np.clip(np.ceil(x - 0.5), 0, side).astype(int))
    row, column = np.concatenate(rows), np.concatenate(columns)
    if row.size:
        top, left, right = row.min(), column.min(), column.max()
        crossings = np.zeros((row.max() + 1 - top, right + 1 - left), np.uint8)
        np.add.at(crossings, (row - top, column - left), 1)
        # Right of an odd number of crossings is inside; counts may wrap at 256, which is even.
        inside = np.cumsum(crossings[:, :-1], axis=1, dtype=np.uint8) & 1
        filled[top : row.max() + 1, left:right] = inside * np.uint8(255)
    return filled


def _shrink(large: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture's pixels, 0 to 255: the share of small pixels that are filled."""
    size = large.shape[0] // _OVERSAMPLING
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _ground(rng: np.random.RandomState, size: int) -> NDArray[np.uint8]:
    """Textured ground: coloured clouds of three grains, in half of the pictures with stripes, and a few stray lines."""
    base = rng.randint(30, 226, 3)
    ground = np.zeros((size, size, 3)) + base
    for cells, strength in ((3, 45), (9, 25), (33, 12)):
        coarse = rng.randint(0, 256, (cells, cells, 3)).astype(np.uint8)
        cloud = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR_EXACT)
        ground += (cloud.astype(np.float64) - 128) * (strength * rng.uniform(0.2, 1.0) / 64)
    if rng.uniform() < 0.5:
        ground += _stripes(rng, size, size)[..., None] * rng.uniform(-30, 30, 3)
    image = _to_bytes(ground)
    for _ in range(rng.randint(0, 5)):
        start, end = rng.uniform(-0.25 * size, 1.25 * size, (2, 2))
        across = np.array([start[1] - end[1], end[0] - start[0]])
        across *= rng.uniform(0.5, 1.3) / max(math.hypot(*across), 1.0)
        corners = np.array([start - across, end - across, end + across, start + across])
        x, y, w, h = cv2.boundingRect(mask := _shrink(_fill([corners], size)))
        mask, place = mask[y : y + h, x : x + w], image[y : y + h, x : x + w]
        place[:] = _blend(place, rng.randint(0, 256, 3), mask)
    return image


def _stripes(rng: np.random.RandomState, width: int, height: int) -> NDArray[np.float64]:
    """Hard stripes of 0 and 1 at a random angle, 4 to 20 pixels apart."""
    angle, period, phase = rng.uniform(0, math.pi), rng.uniform(4, 20), rng.uniform()
    y, x = np.mgrid[:height, :width]
    turns = (x * math.cos(angle) + y * math.sin(angle)) / period + phase
    return (turns % 1.0 < 0.5).astype(np.float64)


def _paint(rng: np.random.RandomState, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Paint a shape into `image`: a colour away from what it covers, at times striped, slightly see-through."""
    x, y, w, h = cv2.boundingRect(mask)
    mask, place = mask[y : y + h, x : x + w], image[y : y + h, x : x + w]
    mean = place[mask >= mask.max() // 2].mean(0)
    contrast = rng.uniform(50, 120)
    colour = rng.randint(0, 256, 3)
    while np.abs(colour - mean).max() < contrast:
        colour = rng.randint(0, 256, 3)
    fill = np.zeros(place.shape) + colour
    if rng.uniform() < 0.3:
        fill += _stripes(rng, w, h)[..., None] * rng.uniform(-35, 35, 3)
    place[:] = _blend(place, fill, mask * rng.uniform(0.8, 1.0))


def _camera(rng: np.random.RandomState, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a camera adds: uneven light, blur and noise, each of random strength."""
    size = image.shape[0]
    light = cv2.resize(rng.randint(0, 256, (2, 2)).astype(np.uint8), (size, size), interpolation=cv2.INTER_LINEAR_EXACT)
    lit = image * (1 + (light[..., None] / 255 - 0.5) * rng.uniform(0, 0.7))
    image = _to_bytes(lit)
    sigma = rng.uniform(0, 1.2)
    if sigma > 0.3:
        image = cv2.GaussianBlur(image, (5, 5), sigma).astype(np.uint8)
    reach = rng.uniform(0, 20)
    noise = rng.uniform(-reach, reach, image.shape)
    return _to_bytes(image + noise)


def _blend(image: NDArray[np.uint8], paint: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.uint8]:
    """Lay `paint` over an image where `mask`, 0 to 255, says so."""
    alpha = mask[..., None] / 255
    return _to_bytes(image * (1 - alpha) + paint * alpha)


def _to_bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
