"""Cells lie in the image where Ultralytics' own preprocessing puts them, whatever the picture's shape."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from ultralytics.data.augment import classify_transforms
from ultralytics.models.rtdetr import RTDETRPredictor
from ultralytics.models.yolo.classify import ClassificationPredictor
from ultralytics.models.yolo.detect import DetectionPredictor

from yolo_cot.commands.attention.placement import Placement, placement
from yolo_cot.commands.attention.view import View

# Width and height of a picture, and of the model's input: both ways round, odd, enlarged, and very long.
SHAPES = [
    ((90, 40), (64, 64)),
    ((41, 133), (96, 64)),
    ((640, 481), (320, 320)),
    ((23, 17), (160, 160)),
    ((700, 51), (160, 96)),
]


def prepared(kind, size, **settings):
    """A predictor of Ultralytics as it is when it prepares a picture, without a model."""
    predictor = kind(overrides={"mode": "predict", "save": False, **settings})
    predictor.imgsz = [size[1], size[0]]
    predictor.model = SimpleNamespace(format="pt", pt=True, dynamic=False, stride=32, fp16=False, device="cpu")
    predictor.device = torch.device("cpu")
    return predictor


def where(picture):
    """Centre of what is bright, in pixels of the picture, (x, y)."""
    bright = np.clip(picture.astype(float) - 115, 0, None)
    y, x = (np.arange(n) + 0.5 for n in bright.shape)
    return (bright.sum(0) @ x) / bright.sum(), (bright.sum(1) @ y) / bright.sum()


def spots(width, height):
    """Pictures with one bright square each, large enough to outlast shrinking, and its centre."""
    half = 2 + max(width, height) // 100
    for u, v in ((0.5, 0.5), (0.3, 0.6), (0.55, 0.35)):
        x, y = int(u * width), int(v * height)
        picture = np.zeros((height, width, 3), np.uint8)
        picture[y - half : y + half + 1, x - half : x + half + 1] = 255
        yield picture, (x + 0.5, y + 0.5)


@pytest.mark.parametrize("rect", [True, False])
@pytest.mark.parametrize("image, size", SHAPES)
def test_padding_is_undone(image, size, rect):
    predictor = prepared(DetectionPredictor, size, rect=rect)
    for picture, (x, y) in spots(*image):
        given = predictor.pre_transform([picture])[0]
        place = placement(predictor, image, (given.shape[1], given.shape[0]))
        expected = place.scale[0] * x + place.shift[0], place.scale[1] * y + place.shift[1]
        assert where(given[..., 0]) == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("image, size", SHAPES)
def test_stretching_is_undone(image, size):
    predictor = prepared(RTDETRPredictor, size)
    for picture, (x, y) in spots(*image):
        given = predictor.pre_transform([picture])[0]
        place = placement(predictor, image, (given.shape[1], given.shape[0]))
        assert place.shift == (0, 0)
        assert where(given[..., 0]) == pytest.approx((place.scale[0] * x, place.scale[1] * y), abs=0.3)


@pytest.mark.parametrize("image, size", [*SHAPES[:4], ((90, 40), (64, 32))])
def test_cropping_is_undone(image, size):

    predictor = prepared(ClassificationPredictor, size)
    transforms = classify_transforms((size[1], size[0]))
    seen = 0
    for picture, (x, y) in spots(*image):
        given = transforms(Image.fromarray(picture))[0].numpy() * 255
        place = placement(predictor, image, (given.shape[1], given.shape[0]))
        expected = place.scale[0] * x + place.shift[0], place.scale[1] * y + place.shift[1]
        if all(4 < at < whole - 4 for at, whole in zip(expected, (given.shape[1], given.shape[0]))):
            assert where(given) == pytest.approx(expected, abs=0.4)
            seen += 1
    assert seen


def test_the_cell_of_a_point_is_the_one_that_holds_its_light():
    predictor = prepared(DetectionPredictor, (160, 160))
    for picture, (x, y) in spots(200, 90):
        given = predictor.pre_transform([picture])[0]
        place = placement(predictor, (200, 90), (given.shape[1], given.shape[0]))
        rows, columns = given.shape[0] // 8, given.shape[1] // 8
        light = np.where(given[..., 0] == 114, 0, given[..., 0]).reshape(rows, 8, columns, 8).sum((1, 3))
        row, column = place.cell(x, y, (rows, columns))
        assert light[row, column] == light.max()
        assert place.edge(column, columns, 0) <= x < place.edge(column + 1, columns, 0)
        assert place.edge(row, rows, 1) <= y < place.edge(row + 1, rows, 1)


def test_a_window_is_drawn_around_the_cell_of_its_point():
    # 200 x 90 pixels go into 160 x 96 with 12 rows of padding above: cells of 8 pixels are 10 pixels of the image.
    place = Placement((0.8, 0.8), (0.0, 12.0), (200, 90), (160, 96))
    row, column = place.cell(55, 47, (12, 20))
    assert (row, column) == (6, 5)
    view = View(np.zeros((90, 200, 3), np.uint8), place, (0, 0, 200, 90), 400, 180)
    before = view.pixels.copy()
    view.lay(np.ones((3, 3)), row - 1, column - 1, (12, 20))
    changed = np.argwhere((view.pixels != before).any(2))
    # Cells 4 to 6 across are x 40 to 70, cells 5 to 7 down y 35 to 65, at two pixels of the view each.
    assert changed.min(0).tolist() == [70, 80]
    assert changed.max(0).tolist() == pytest.approx([129, 139], abs=1)


def test_a_map_covers_the_image_and_nothing_else():
    place = Placement((0.8, 0.8), (0.0, 12.0), (200, 90), (160, 96))
    view = View(np.zeros((90, 200, 3), np.uint8), place, (-50, -50, 250, 140), 300, 190)
    before = view.pixels.copy()
    values = np.zeros((12, 20))
    values[6, 5] = 1
    view.lay(values)
    changed = np.argwhere((view.pixels != before).any(2))
    assert changed.min(0).tolist() == [50, 50]
    assert changed.max(0).tolist() == [139, 249]
    bright = np.argwhere(view.pixels.sum(2) > 300 * 0.6)
    bright = bright[(bright >= 50).all(1) & (bright[:, 0] < 140) & (bright[:, 1] < 250)]
    assert (bright.min(0) - 50).tolist() == [45, 50]
    assert (bright.max(0) - 50).tolist() == [54, 59]


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_the_picture_stands_still_in_its_view(scale):
    picture, (x, y) = next(spots(120, 80))
    place = Placement((1, 1), (0, 0), (120, 80), (120, 80))
    view = View(picture, place, (0, 0, 120, 80), int(120 * scale), int(80 * scale))
    assert where(np.where(view.pixels[..., 0] > 10, view.pixels[..., 0].astype(int) + 115, 0)) == pytest.approx(
        (x * scale, y * scale), abs=0.3
    )


def test_a_point_outside_is_refused():
    place = Placement((0.5, 0.5), (-10.0, 0.0), (120, 80), (40, 40))
    assert place.seen() == (20, 0, 100, 80)
    with pytest.raises(ValueError, match="needs to lie in the image of 120 x 80 pixels; got 120,3"):
        place.cell(120, 3, (5, 5))
    with pytest.raises(ValueError, match=r"the model sees, 20,0 to 100,80 .*; got 10,3"):
        place.cell(10, 3, (5, 5))
