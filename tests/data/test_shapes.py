"""The embedded data set: what is drawn, what the labels say of it, and how it comes to be on disk."""

from __future__ import annotations

import hashlib
import shutil

import cv2
import numpy as np
import pytest
from ultralytics.data import utils as data_utils
from ultralytics.utils import YAML

from yolo_cot.data import scene as shapes_scene
from yolo_cot.data import shapes
from yolo_cot.data.scene import CLASSES, MIN_INSIDE, MIN_VISIBLE, draw, outline, place
from yolo_cot.data.shapes import SPLITS, generate, picture
from yolo_cot.paths import data_dir

FEW = {"train": 3, "val": 2}


@pytest.fixture(scope="module")
def scenes():
    return [picture("train", i) for i in range(150)]


def content(folder):
    """Label text and decoded pixels of every file of a data set."""
    return {
        str(path.relative_to(folder)): cv2.imread(str(path)).tobytes() if path.suffix == ".png" else path.read_text()
        for path in sorted(folder.rglob("*.*"))
    }


def test_the_yaml_names_the_classes_and_splits_that_are_drawn():
    data = YAML.load(data_dir() / "shapes.yaml")
    assert tuple(data["names"].values()) == CLASSES
    assert {split: f"images/{split}" for split in SPLITS} == {split: data[split] for split in SPLITS}


def test_a_seed_gives_the_same_files_and_another_seed_others(tmp_path):
    first, again, other = (content(generate(tmp_path / str(i), FEW, seed=seed)) for i, seed in enumerate((5, 5, 6)))
    assert len(first) == 2 * sum(FEW.values())
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_pictures_do_not_depend_on_how_many_there_are(tmp_path):
    few, more = content(generate(tmp_path / "few", FEW)), content(generate(tmp_path / "more", {"train": 5, "val": 2}))
    assert few.items() < more.items()


def test_the_pictures_are_those_that_the_published_figures_were_measured_on():
    digest = hashlib.sha256()
    for split in SPLITS:
        for i in range(3):
            scene = picture(split, i)
            digest.update(scene.image.tobytes() + scene.classes.astype("<i8").tobytes() + scene.boxes.tobytes())
    assert digest.hexdigest()[:16] == "adb62fa50e09d5bf"


def test_files_hold_what_was_drawn(tmp_path):
    root = generate(tmp_path / "set", FEW, size=96, seed=3)
    for split, count in FEW.items():
        for i in range(count):
            scene = picture(split, i, size=96, seed=3)
            assert (cv2.imread(str(root / f"images/{split}/{i:05d}.png")) == scene.image).all()
            rows = np.loadtxt(root / f"labels/{split}/{i:05d}.txt", ndmin=2)
            assert rows[:, 0].tolist() == scene.classes.tolist()
            centre, side = rows[:, 1:3] * 96, rows[:, 3:] * 96
            np.testing.assert_allclose(np.hstack([centre - side / 2, centre + side / 2]), scene.boxes, atol=1e-3)


def test_boxes_are_tight_around_the_pixels_that_a_shape_changes(monkeypatch):
    monkeypatch.setattr(shapes_scene, "_ground", lambda rng, size: np.full((size, size, 3), 128, np.uint8))
    monkeypatch.setattr(shapes_scene, "_camera", lambda rng, image: image)
    alone = [scene for scene in map(draw, map(np.random.RandomState, range(200))) if len(scene.classes) == 1]
    assert len(alone) > 10
    cut = 0
    for scene in alone:
        y, x = np.nonzero((scene.image != 128).any(2))
        # A pixel of which the shape covers a little may keep its colour: hence less than one pixel, never more.
        assert np.abs(scene.boxes[0] - (x.min(), y.min(), x.max() + 1, y.max() + 1)).max() < 1
        cut += bool((scene.boxes[0] <= 0).any() or (scene.boxes[0] >= 128).any())
    assert 0 < cut < len(alone)


def test_boxes_are_tight_around_the_masks_of_all_shapes(scenes):
    for scene in scenes:
        for box, mask in zip(scene.boxes, scene.masks):
            y, x = np.nonzero(mask)
            low, high = np.array([x.min(), y.min()]), np.array([x.max() + 1, y.max() + 1])
            assert (low <= box[:2]).all()
            assert (box[:2] < low + 1).all()
            assert (high - 1 < box[2:]).all()
            assert (box[2:] <= high).all()


@pytest.mark.parametrize("name", CLASSES)
def test_outlines_have_the_area_of_their_shape(name):
    # Radius 1: circle pi; triangle 3 sin(120) / 2; square 2; cross of arms 0.6 wide, 1.9 long.
    r, d = 0.85, 0.55
    lens = (
        r * r * np.arccos((d * d + r * r - 1) / (2 * d * r))
        + np.arccos((d * d + 1 - r * r) / (2 * d))
        - np.sqrt((-d + r + 1) * (d + r - 1) * (d - r + 1) * (d + r + 1)) / 2
    )
    expected = {
        "ellipse": np.pi,
        "ring": np.pi * (1 - 0.55**2),
        "triangle": 3 * np.sqrt(3) / 4,
        "rectangle": 2.0,
        "cross": 2 * 0.6 * 1.9 - 0.6**2,
        "crescent": np.pi - lens,
    }[name]
    outer, *holes = (cv2.contourArea(contour.astype(np.float32)) for contour in outline(name))
    assert outer - sum(holes) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    "name, angle, squeeze, box",
    [
        ("ellipse", 0.0, 1.0, (40, 20, 80, 60)),
        ("ellipse", np.pi / 2, 0.75, (45, 20, 75, 60)),
        ("triangle", 0.0, 1.0, (50, 40 - 10 * np.sqrt(3), 80, 40 + 10 * np.sqrt(3))),
        ("rectangle", np.pi / 4, 1.0, (40, 20, 80, 60)),
        ("cross", np.pi / 2, 1.0, (41, 21, 79, 59)),
    ],
)
def test_boxes_are_where_one_computes_them_by_hand(name, angle, squeeze, box):
    mask, found = place(name, 20, angle, squeeze, np.array([60.0, 40.0]), 128)
    assert found == pytest.approx(box, abs=0.25)
    assert mask[40, 60] == 255


def test_a_shape_mostly_outside_the_frame_is_not_placed():
    # The share of a disc on one side of a line t radii from its centre is 1/2 + (t sqrt(1 - t^2) + asin t) / pi.
    inside = [0.5 + (t * np.sqrt(1 - t * t) + np.arcsin(t)) / np.pi for t in (0.14, 0.18)]
    assert inside[0] < MIN_INSIDE < inside[1]
    assert place("ellipse", 20, 0, 1, np.array([0.14 * 20, 64]), 128) is None
    _, box = place("ellipse", 20, 0, 1, np.array([0.18 * 20, 64]), 128)
    assert box == pytest.approx((0, 44, 23.6, 84), abs=0.25)


def test_shapes_overlap_but_none_is_mostly_hidden(scenes):
    shares = []
    for scene in scenes:
        covered = np.zeros(scene.image.shape[:2], bool)
        for mask in scene.masks[::-1] > 127:
            shares.append((mask & ~covered).sum() / mask.sum())
            covered |= mask
    assert min(shares) >= MIN_VISIBLE
    assert np.mean(np.array(shares) < 0.95) > 0.1


def test_sizes_reach_from_tiny_to_large_and_all_classes_occur(scenes):
    sides = np.concatenate([(scene.boxes[:, 2:] - scene.boxes[:, :2]).max(1) for scene in scenes])
    assert (sides < 12).mean() > 0.02
    assert (sides > 48).mean() > 0.1
    counts = np.bincount(np.concatenate([scene.classes for scene in scenes]), minlength=len(CLASSES))
    assert counts.min() > 0.7 * counts.mean()


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_an_interrupted_generation_leaves_nothing_and_can_be_repeated(tmp_path, monkeypatch, failure):
    drawn = []

    def interrupted(rng, size):
        drawn.append(rng)
        if len(drawn) == 4:
            raise failure
        return draw(rng, size)

    monkeypatch.setattr(shapes, "draw", interrupted)
    with pytest.raises(failure):
        generate(tmp_path / "set", FEW)
    assert list(tmp_path.iterdir()) == []
    assert len(content(generate(tmp_path / "set", FEW))) == 2 * sum(FEW.values())


def test_a_complete_set_is_left_alone(tmp_path, monkeypatch):
    root = generate(tmp_path / "set", FEW)
    monkeypatch.setattr(shapes, "draw", None)
    assert generate(root, FEW) == root


def test_of_two_generations_at_once_the_first_to_end_wins(tmp_path, monkeypatch):
    ready, write = generate(tmp_path / "ready", FEW), shapes._write

    def overtaken(made, split, count, size, seed):
        write(made, split, count, size, seed)
        if split == "val":
            shutil.copytree(ready, tmp_path / "set")

    monkeypatch.setattr(shapes, "_write", overtaken)
    assert content(generate(tmp_path / "set", FEW)) == content(ready)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ready", "set"]


def test_a_folder_with_something_else_is_refused_and_kept(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"does not hold the whole data set\. Delete that folder"):
        generate(tmp_path / "set", FEW)
    assert content(tmp_path) == {"set/mine.txt": "mine"}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"counts": {"train": 1, "vall": 1}}, r"splits train, val, test; got vall"),
        ({"counts": {"train": 0}}, r"at least one picture in each split"),
        ({"size": 100}, r"multiple of 32, at least 64; got 100"),
        ({"size": 32}, r"multiple of 32, at least 64; got 32"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(tmp_path / "set", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_shape_is_named():
    with pytest.raises(ValueError, match=r"No shape is called 'blob'\. Known shapes: ellipse, ring"):
        outline("blob")


def test_ultralytics_draws_the_set_through_the_yaml_on_first_use(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data_utils, "DATASETS_DIR", tmp_path)
    monkeypatch.setattr(shapes, "SPLITS", {"train": 2, "val": 2, "test": 1})
    monkeypatch.chdir(tmp_path)
    data = data_utils.check_det_dataset("shapes.yaml")
    assert data["nc"] == len(CLASSES)
    for split, count in shapes.SPLITS.items():
        assert len(list((tmp_path / "yolo-cot-shapes" / "labels" / split).iterdir())) == count
        assert data[split] == str((tmp_path / "yolo-cot-shapes" / "images" / split).resolve())
    assert "Drawing train pictures" in capsys.readouterr().out

    monkeypatch.setattr(shapes, "draw", None)
    again = data_utils.check_det_dataset("shapes.yaml")
    assert {split: again[split] for split in SPLITS} == {split: data[split] for split in SPLITS}
