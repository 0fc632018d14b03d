"""A data set and a model small enough to train in seconds: bright squares and discs on noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

MODEL = """nc: 2
scales:
  n: [0.5, 0.25, 1024]
backbone:
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 2, C3k2CoT, [64, False, 0.5]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 1, OutlookAttention, [{num_heads: 2, gate: 0.0}]]
head:
  - [-1, 1, CoTAttention, [{gate: 0.0}]]
  - [[2, 5], 1, Detect, [nc]]
"""

# To be written as rtdetr-….yaml, the name by which Ultralytics takes its class.
RTDETR = """nc: 2
scales:
  l: [1.0, 0.25, 1024]
backbone:
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [128, 3, 2]]
head:
  - [-1, 1, CoTAttention, []]
  - [[1, 3], 1, RTDETRDecoder, [nc, 32, 20, 4, 4, 1]]
"""


def images(folder: Path, count: int, seed: int, size: int = 64) -> None:
    """Write images and labels into `folder`/images and `folder`/labels; the same for the same seed."""
    random = np.random.default_rng(seed)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = random.integers(0, 60, (size, size, 3), dtype=np.uint8)
        lines = []
        for kind in (0, 1):
            half = int(random.integers(6, 11))
            x, y = (int(v) for v in random.integers(half, size - half, 2))
            colour = [(40, 220, 240), (240, 120, 40)][kind]
            if kind:
                cv2.circle(picture, (x, y), half, colour, -1)
            else:
                cv2.rectangle(picture, (x - half, y - half), (x + half, y + half), colour, -1)
            lines.append(f"{kind} {x / size:.4f} {y / size:.4f} {2 * half / size:.4f} {2 * half / size:.4f}")
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        (folder / "labels" / f"{number}.txt").write_text("\n".join(lines) + "\n")


def data(folder: Path, count: int = 8) -> Path:
    """Write a data set of `count` images for training and half as many for validation; returns its YAML."""
    images(folder / "train", count, seed=0)
    images(folder / "val", max(count // 2, 1), seed=1)
    file = folder / "data.yaml"
    file.write_text(f"path: {folder}\ntrain: train/images\nval: val/images\nnames: {{0: square, 1: disc}}\n")
    return file


def model(folder: Path, name: str = "yolo11-tiny.yaml") -> Path:
    """Write the model YAML; to be asked for as yolo11n-tiny.yaml, or by this path."""
    file = folder / name
    file.write_text(MODEL)
    return file


def arguments(folder: Path, **more: object) -> list[str]:
    """The words of a training on the data set, for the command line."""
    settings = {
        "epochs": 1,
        "imgsz": 64,
        "batch": 4,
        "device": "cpu",
        "workers": 0,
        "plots": False,
        "amp": False,
        "exist_ok": True,
        "project": folder / "runs",
        "name": "t",
        **more,
    }
    return [f"{key}={value}" for key, value in settings.items()]
