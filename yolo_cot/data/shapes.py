"""The embedded data set on disk: pictures and labels in Ultralytics' layout, drawn on first use.

`datasets/shapes.yaml` calls `generate` through Ultralytics' own `download:` key.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from ultralytics.utils import TQDM

from yolo_cot.data.scene import Scene, draw

SPLITS = {"train": 1200, "val": 200, "test": 100}


def generate(
    root: str | os.PathLike[str], counts: Mapping[str, int] | None = None, size: int = 128, seed: int = 0
) -> Path:
    """Write the data set to `root`, unless it is there already.

    Writes `images/<split>/00000.png` and `labels/<split>/00000.txt` (rows of `class x y w h`, relative to the picture).
    The pictures are drawn in a temporary folder beside `root` that gets its name only when all are written: an
    interrupted run leaves no data set that looks complete, and of two at the same time one wins.

    Args:
        root: folder of the data set, made here.
        counts: pictures per split, by default `SPLITS`. Picture i of a split does not depend on the counts.
        size: side of the pictures in pixels, a multiple of 32 and at least 64.
        seed: same seed, same pictures.

    Returns:
        The folder, absolute.

    Raises:
        ValueError: a wrong size, count or split.
        FileExistsError: `root` holds something else than this data set complete.
    """
    root = Path(root).resolve()
    counts = SPLITS if counts is None else counts
    if unknown := set(counts) - set(SPLITS):
        raise ValueError(f"counts may name the splits {', '.join(SPLITS)}; got {', '.join(sorted(unknown))}.")
    if any(count < 1 for count in counts.values()):
        raise ValueError(f"counts needs at least one picture in each split it names; got {dict(counts)}.")
    if size < 64 or size % 32:
        raise ValueError(f"size needs a multiple of 32, at least 64; got {size}.")
    if _complete(root, counts):
        return root

    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}-", dir=root.parent) as folder:
        unfinished = Path(folder) / root.name
        for split, count in counts.items():
            _write(unfinished, split, count, size, seed)
        try:
            unfinished.rename(root)
        except OSError:
            # Another process was faster, or the folder holds other files.
            if not _complete(root, counts):
                raise FileExistsError(
                    f"{root} exists but does not hold the whole data set. Delete that folder and start again."
                ) from None
    return root


def picture(split: str, index: int, size: int = 128, seed: int = 0) -> Scene:
    """Picture `index` of a split with its labels and masks, as `generate` writes it."""
    return draw(np.random.RandomState([seed, list(SPLITS).index(split), index]), size)


def _write(root: Path, split: str, count: int, size: int, seed: int) -> None:
    images, labels = root / "images" / split, root / "labels" / split
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for i in TQDM(range(count), desc=f"Drawing {split} pictures of {root.name}"):
        scene = picture(split, i, size, seed)
        x1, y1, x2, y2 = scene.boxes.T / size
        rows = zip(scene.classes, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        text = "".join(f"{c} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for c, x, y, w, h in rows)
        (labels / f"{i:05d}.txt").write_text(text, encoding="utf-8", newline="\n")
        # imencode and not imwrite, which fails without a word and cannot open every path on Windows.
        _, data = cv2.imencode(".png", scene.image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        (images / f"{i:05d}.png").write_bytes(data.tobytes())


def _complete(root: Path, counts: Mapping[str, int]) -> bool:
    """Whether `root` holds at least as many pictures and labels as asked for."""
    return all(
        len(list((root / kind / split).glob(f"*.{suffix}"))) >= count
        for split, count in counts.items()
        for kind, suffix in (("images", "png"), ("labels", "txt"))
    )
