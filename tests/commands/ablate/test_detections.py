"""Boxes that models find: counted, measured by size, and set beside those of another model."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.commands.ablate.ablations import pretended
from yolo_cot.commands.ablate import detections
from yolo_cot.commands.ablate.detections import Detections, by_size, found
from yolo_cot.commands.ablate.plan import Run
from yolo_cot.commands.ablate.report import disagreement
from yolo_cot.commands.ablate.results import Results


def boxes(guesses, there, files=("a.png", "b.png")):
    """Guesses are (picture, x1, y1, x2, y2, confidence, class), and what is there the same without a confidence."""
    guessed = np.array(guesses, dtype=np.float32).reshape(-1, 7)
    truth = np.array(there, dtype=np.float32).reshape(-1, 6)
    return Detections(
        files=np.array(files),
        image=guessed[:, 0].astype(np.int32),
        box=guessed[:, 1:5],
        confidence=guessed[:, 5],
        kind=guessed[:, 6].astype(np.int32),
        there_image=truth[:, 0].astype(np.int32),
        there_box=truth[:, 1:5],
        there_kind=truth[:, 5].astype(np.int32),
    )


THERE = [(0, 10, 10, 30, 30, 0), (0, 12, 10, 32, 30, 0), (1, 50, 50, 90, 90, 1)]


@pytest.mark.parametrize(
    "guesses, wanted",
    [
        ([], [False, False, False]),
        ([(0, 10, 10, 30, 30, 0.9, 0)], [True, False, False]),
        # A second guess finds the other object, a third finds none that is left.
        ([(0, 10, 10, 30, 30, 0.9, 0)] * 3, [True, True, False]),
        ([(0, 10, 10, 30, 30, 0.9, 1), (1, 10, 10, 30, 30, 0.9, 0)], [False, False, False]),  # class, picture
        ([(0, 10, 10, 30, 30, 0.2, 0)], [False, False, False]),  # not sure enough
        ([(1, 50, 50, 90, 69, 0.9, 1)], [False, False, False]),  # overlaps by less than half
        ([(1, 50, 50, 90, 71, 0.9, 1)], [False, False, True]),
    ],
)
def test_an_object_is_found_by_a_box_of_its_class_that_overlaps_each_by_another(guesses, wanted):
    assert found(boxes(guesses, THERE)).tolist() == wanted


def test_detections_survive_a_file(tmp_path):
    written = boxes([(0, 10, 10, 30, 30, 0.9, 0)], THERE)
    written.save(tmp_path)
    read = detections.load(tmp_path)
    for name, values in vars(written).items():
        assert np.array_equal(getattr(read, name), values)
    assert detections.load(tmp_path / "none") is None


def test_average_precision_by_size_by_hand():
    pytest.importorskip("pycocotools")
    there = [(0, 0, 0, 20, 20, 0), (0, 100, 100, 150, 150, 0), (1, 0, 0, 50, 50, 0)]
    # The small one is found, of the two of medium size one, and there is no large one.
    guesses = [(0, 0, 0, 20, 20, 0.9, 0), (0, 100, 100, 150, 150, 0.8, 0)]
    got = by_size(boxes(guesses, there), range(2))
    assert got["small"] == pytest.approx(1.0)
    # All recalls up to a half have a precision of 1: 51 of 101 points.
    assert got["medium"] == pytest.approx(51 / 101)
    assert got["large"] is None
    assert by_size(boxes([], there), range(2)) == dict.fromkeys(("all", "small", "medium", "large"), 0.0)


@pytest.fixture
def two_models(tmp_path):
    """Two models with one seed: the base finds the first object, the model the third."""
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.full((100, 120, 3), 90, np.uint8))
    plan = pretended(tmp_path / "p", {"yolo11n": [0.6], "yolo11n-cot": [0.6]})
    files = [str(tmp_path / name) for name in ("a.png", "b.png")]
    guesses = {"yolo11n": (0, 10, 10, 30, 30, 0.9, 0), "yolo11n-cot": (1, 50, 50, 90, 90, 0.9, 1)}
    for label, guess in guesses.items():
        boxes([guess], THERE, files).save(Run(plan, label, 0).folder)
    return Results(plan)


def test_what_only_one_of_two_models_finds_is_counted_and_shown(two_models):
    table = disagreement.found_table(two_models)
    assert list(table.rows) == [["yolo11n-cot against yolo11n", "1", "0.0", "1.0", "1.0", "1.0"]]
    folder = two_models.plan.folder
    shown = disagreement.pictures(two_models, folder)
    assert [p.caption for p in shown] == [
        "Found by yolo11n-cot, missed by yolo11n: 1 of the 1 objects, seed 0.",
        "Found by yolo11n, missed by yolo11n-cot: 1 of the 1 objects, seed 0.",
    ]
    picture = cv2.imread(str(shown[0].file)).astype(int)
    green = (picture[..., 1] > 120) & (picture[..., 2] < 100)
    assert green.any()  # the box
    assert (abs(picture - 90).max(-1) < 12).sum() > 5000  # the object's surroundings


def test_pictures_that_are_gone_are_left_out(two_models):
    for file in two_models.plan.folder.parent.glob("*.png"):
        file.unlink()
    assert disagreement.pictures(two_models, two_models.plan.folder) == []
