"""Detections on several pictures, in one picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox

from ..montage import montage

CELL = 384  # side of a picture on the sheet
COLUMNS = 4


def draw_detections(
    model: YOLO, images: Sequence[str | os.PathLike[str]], sheet: str | os.PathLike[str], **predict: Any
) -> Path:
    """Detect on every picture and write them all, boxes drawn, to one file.

    Each picture is first fitted into a square of `CELL` pixels, small ones enlarged, so that the labels can be read.

    Args:
        model: a detector.
        images: picture files.
        sheet: the file to write; its suffix says the format.
        **predict: further arguments of Ultralytics' `predict`, such as `imgsz`.

    Returns:
        The file.

    Raises:
        ValueError: no pictures.
        FileNotFoundError: one that cannot be read.
    """
    if not images:
        raise ValueError("draw_detections needs at least one picture; got none.")
    cells = []
    for image in images:
        picture = cv2.imread(os.fspath(image))
        if picture is None:
            raise FileNotFoundError(f"A picture is needed; {image} cannot be read as one.")
        square = LetterBox((CELL, CELL))(image=picture)
        cells.append(model.predict(square, verbose=False, **predict)[0].plot(line_width=2))
    _, data = cv2.imencode(Path(sheet).suffix, montage(cells, min(COLUMNS, len(cells))))
    Path(sheet).write_bytes(data.tobytes())
    return Path(sheet)
