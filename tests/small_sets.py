"""Small real data sets out of the blood cells of ../shared: images in class folders, and boxes as polygons."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2

NAMES = ["RBC", "WBC", "Platelets"]
SPLITS = ("train", "val")


def class_folders(shared: Path, folder: Path, count: int = 4) -> Path:
    """Cut `count` boxes of every class out of the images, into `folder`/train/RBC/0.jpg and so on; returns `folder`."""
    for split in SPLITS:
        found = dict.fromkeys(range(len(NAMES)), 0)
        for label in sorted((shared / "data/bccd/labels" / split).glob("*.txt")):
            if min(found.values()) == count:
                break
            picture = cv2.imread(str(shared / "data/bccd/images" / split / f"{label.stem}.jpg"))
            height, width = picture.shape[:2]
            for line in label.read_text().splitlines():
                kind, x, y, w, h = (float(v) for v in line.split())
                top, bottom = (int((y + side * h / 2) * height) for side in (-1, 1))
                left, right = (int((x + side * w / 2) * width) for side in (-1, 1))
                crop = picture[max(top, 0) : bottom, max(left, 0) : right]
                if found[int(kind)] == count or min(crop.shape[:2]) < 8:
                    continue
                target = folder / split / NAMES[int(kind)]
                target.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(target / f"{found[int(kind)]}.jpg"), crop)
                found[int(kind)] += 1
        assert min(found.values()) == count
    return folder


def boxes(shared: Path, folder: Path, count: int = 6, polygons: bool = False) -> Path:
    """Copy `count` images of each split with their labels, boxes or box-shaped polygons; returns the data YAML."""
    for split in SPLITS:
        for part in ("images", "labels"):
            (folder / part / split).mkdir(parents=True, exist_ok=True)
        for label in sorted((shared / "data/bccd/labels" / split).glob("*.txt"))[:count]:
            shutil.copy(shared / "data/bccd/images" / split / f"{label.stem}.jpg", folder / "images" / split)
            lines = label.read_text().splitlines()
            text = "\n".join(map(_polygon, lines) if polygons else lines)
            (folder / "labels" / split / label.name).write_text(text + "\n")
    file = folder / "data.yaml"
    file.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: {NAMES}\n")
    return file


def _polygon(line: str) -> str:
    kind, x, y, w, h = (float(v) for v in line.split())
    corners = [(x - w / 2, y - h / 2), (x + w / 2, y - h / 2), (x + w / 2, y + h / 2), (x - w / 2, y + h / 2)]
    return " ".join([str(int(kind)), *(f"{v:.6f}" for corner in corners for v in corner)])
