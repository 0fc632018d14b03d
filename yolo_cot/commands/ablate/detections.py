"""What a model found in the pictures of a split, beside what is there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from ultralytics.utils.metrics import box_iou

FILE = "detections.npz"
SIZES = ("all", "small", "medium", "large")


@dataclass(frozen=True)
class Detections:
    """Boxes found and boxes there, in pixels of the pictures.

    Attributes:
        files: the pictures.
        image: for every box that was found, the number of its picture.
        box: its corners, (N, 4).
        confidence: how sure the model is.
        kind: its class.
        there_image: for every box that is there, the number of its picture; likewise the others.
        there_box: its corners, (M, 4).
        there_kind: its class.
    """

    files: NDArray[np.str_]
    image: NDArray[np.int32]
    box: NDArray[np.float32]
    confidence: NDArray[np.float32]
    kind: NDArray[np.int32]
    there_image: NDArray[np.int32]
    there_box: NDArray[np.float32]
    there_kind: NDArray[np.int32]

    def save(self, folder: Path) -> None:
        """Write them into the folder of a run."""
        np.savez_compressed(folder / FILE, **asdict(self))


def load(folder: Path) -> Detections | None:
    """Read those of a run; None where there are none."""
    file = folder / FILE
    if not file.is_file():
        return None
    with np.load(file) as content:
        return Detections(**content)


def found(detections: Detections, confidence: float = 0.25, overlap: float = 0.5) -> NDArray[np.bool_]:
    """Which of the boxes that are there were found: by a box of their class that overlaps enough, each by another one.

    Args:
        detections: the boxes.
        confidence: less sure ones do not count.
        overlap: intersection over union that is enough.

    Returns:
        A truth value for every box that is there.
    """
    taken = np.zeros(len(detections.there_kind), dtype=bool)
    sure = np.flatnonzero(detections.confidence >= confidence)
    sure = sure[np.argsort(-detections.confidence[sure], kind="stable")]
    for image in np.unique(detections.there_image):
        there = np.flatnonzero(detections.there_image == image)
        guesses = sure[detections.image[sure] == image]
        boxes = torch.from_numpy(detections.box[guesses]), torch.from_numpy(detections.there_box[there])
        fits = box_iou(*boxes).numpy()
        fits[detections.kind[guesses][:, None] != detections.there_kind[there]] = 0
        for row in fits:
            row[taken[there]] = 0
            if row.max() >= overlap:
                taken[there[row.argmax()]] = True
    return taken


def by_size(detections: Detections, classes: Sequence[int]) -> dict[str, float | None] | None:
    """AP50-95 of all, small, medium and large boxes, as COCO has it: up to 32 and 96 pixels square, in the pictures.

    Args:
        detections: the boxes.
        classes: every class.

    Returns:
        AP from 0 to 1, None where no box of that size is there; None without pycocotools.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        return None
    size = detections.there_box[:, 2:] - detections.there_box[:, :2]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(len(detections.files))],
        "categories": [{"id": int(c)} for c in classes],
        "annotations": [
            {"id": n + 1, "image_id": int(i), "category_id": int(c), "iscrowd": 0, "area": float(w * h)}
            | {"bbox": [float(x), float(y), float(w), float(h)]}
            for n, (i, c, (x, y), (w, h)) in enumerate(
                zip(detections.there_image, detections.there_kind, detections.there_box[:, :2], size)
            )
        ],
    }
    corner, side = detections.box[:, :2], detections.box[:, 2:] - detections.box[:, :2]
    guesses = np.column_stack([detections.image, corner, side, detections.confidence, detections.kind])
    if not len(guesses):
        return dict.fromkeys(SIZES, 0.0)
    with redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(guesses.astype(np.float64)), "bbox")
        evaluation.params.maxDets = [1, 10, 300]  # as many as Ultralytics' validation keeps
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]  # overlap, recall, class, size
    return {
        name: float(known.mean()) if (known := precision[..., i][precision[..., i] > -1]).size else None
        for i, name in enumerate(SIZES)
    }
