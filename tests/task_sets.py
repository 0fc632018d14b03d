"""Tiny data sets for every task of Ultralytics, made from the blood cells of ../shared and their boxes.

Boxes as they are; as polygons; with their corners for keypoints; turned by 30 degrees; painted into label maps; as
hills in depth maps; cut out into class folders.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from tests import small_sets

TASKS = ("detect", "segment", "semantic", "depth", "classify", "pose", "obb")
# What the names of Ultralytics' YAMLs have for each task.
SUFFIXES = {"detect": "", "segment": "-seg", "semantic": "-sem", "classify": "-cls"}
SUFFIXES |= {task: f"-{task}" for task in TASKS if task not in SUFFIXES}
_TURN = math.radians(30)
Box = tuple[int, float, float, float, float]


def tiny_set(shared: Path, folder: Path, task: str, count: int = 4) -> Path:
    """Make a data set of `count` images a split for a task; returns what `data=` takes."""
    if task == "classify":
        return small_sets.class_folders(shared, folder, count)
    for split in small_sets.SPLITS:
        for label in sorted((shared / "data/bccd/labels" / split).glob("*.txt"))[:count]:
            picture = shared / "data/bccd/images" / split / f"{label.stem}.jpg"
            (folder / "images" / split).mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, folder / "images" / split)
            boxes = [_box(line) for line in label.read_text().splitlines()]
            if task in _LINES:
                _write_lines(folder / "labels" / split / label.name, [_LINES[task](box) for box in boxes])
            else:
                height, width = cv2.imread(str(picture)).shape[:2]
                kind, paint = ("masks", _label_map) if task == "semantic" else ("depth", _depth_map)
                (folder / kind / split).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / kind / split / f"{label.stem}.png"), paint(boxes, height, width))
    file = folder / "data.yaml"
    file.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\n{_SETTINGS[task]}\n")
    return file


_SETTINGS = {
    "detect": f"names: {small_sets.NAMES}",
    "segment": f"names: {small_sets.NAMES}",
    "obb": f"names: {small_sets.NAMES}",
    # Corners go round from the upper left; mirrored, the left ones are the right ones.
    "pose": f"names: {small_sets.NAMES}\nkpt_shape: [4, 3]\nflip_idx: [1, 0, 3, 2]",
    "semantic": f"names: {[*small_sets.NAMES, 'background']}\nmasks_dir: masks",
    "depth": "nc: 1\nnames: [depth]\nchannels: 3\ndepth_scale: 1000",
}


def _box(line: str) -> Box:
    kind, *box = line.split()
    x, y, w, h = map(float, box)
    return int(kind), x, y, w, h


def _write_lines(file: Path, lines: list[list[float]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(" ".join(f"{value:.6g}" for value in line) + "\n" for line in lines))


def _corners(box: Box, turn: float = 0.0) -> list[tuple[float, float]]:
    """The corners of a box round from the upper left, turned about its middle, inside the image."""
    _, x, y, w, h = box
    cos, sin = math.cos(turn), math.sin(turn)
    corners = [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]
    turned = [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners]
    return [(min(max(a, 0.0), 1.0), min(max(b, 0.0), 1.0)) for a, b in turned]


def _polygon(box: Box, turn: float = 0.0) -> list[float]:
    return [box[0], *(value for corner in _corners(box, turn) for value in corner)]


_LINES: dict[str, Callable[[Box], list[float]]] = {
    "detect": list,
    "segment": _polygon,
    "obb": lambda box: _polygon(box, _TURN),
    "pose": lambda box: [*box, *(value for corner in _corners(box) for value in (*corner, 2))],
}


def _pixels(box: Box, height: int, width: int) -> tuple[slice, slice]:
    (left, top), _, (right, bottom), _ = _corners(box)
    return slice(int(top * height), int(bottom * height) + 1), slice(int(left * width), int(right * width) + 1)


def _label_map(boxes: list[Box], height: int, width: int) -> np.ndarray:
    """The class of every pixel; the background is the last one."""
    labels = np.full((height, width), len(small_sets.NAMES), np.uint8)
    for box in boxes:
        labels[_pixels(box, height, width)] = box[0]
    return labels


def _depth_map(boxes: list[Box], height: int, width: int) -> np.ndarray:
    """Millimetres: a plane that rises from two metres to four, with every box one metre nearer."""
    depth = np.repeat(np.linspace(2000, 4000, height)[:, None], width, axis=1)
    for box in boxes:
        depth[_pixels(box, height, width)] -= 1000
    return depth.astype(np.uint16)
