"""The pictures of a source: an image, a video, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from ultralytics.data.loaders import IMG_FORMATS, VID_FORMATS
from ultralytics.utils.patches import imread


def find(source: str) -> list[Path]:
    """The images and videos that a source names, in order.

    Args:
        source: a file, or a folder (not those within it).

    Raises:
        FileNotFoundError: no such file or folder, or a folder without images and videos.
    """
    path = Path(source)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file() and p.suffix[1:].lower() in IMG_FORMATS | VID_FORMATS)
        if not files:
            raise FileNotFoundError(f"yolo-cot attention needs images or videos; the folder {source} has none.")
        return files
    if not path.is_file():
        raise FileNotFoundError(f"yolo-cot attention needs an image, a video or a folder; {source} does not exist.")
    return [path]


def count(file: Path, every: int) -> int:
    """How many pictures `pictures` gives of a file; of a video, about so many."""
    if file.suffix[1:].lower() not in VID_FORMATS:
        return 1
    video = cv2.VideoCapture(str(file))
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.release()
    return -(-max(frames, 0) // every)


def pictures(file: Path, every: int) -> Iterator[tuple[str, np.ndarray]]:
    """Name and picture (height, width, 3; BGR) of an image, or of each `every`-th frame of a video, the first included.

    A file that cannot be read has none.
    """
    if file.suffix[1:].lower() not in VID_FORMATS:
        try:
            picture = imread(str(file), cv2.IMREAD_COLOR)
        except cv2.error:  # an empty file, in some releases
            picture = None
        if picture is not None:
            yield file.name, picture
        return
    video = cv2.VideoCapture(str(file))
    try:
        number = 0
        while video.grab():
            if number % every == 0:
                good, frame = video.retrieve()
                if good:
                    yield f"{file.name} frame {number}", frame
            number += 1
    finally:
        video.release()
