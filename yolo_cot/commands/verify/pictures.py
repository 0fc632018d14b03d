"""The pictures that all formats are run on, as a model takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from ultralytics.utils import ASSETS

from ..attention.sources import find
from ..quickstart.onnx_check import prepare

MOST = 8  # pictures; more would only take longer


def pictures(source: str | None, imgsz: int) -> tuple[list[Path], NDArray[np.float32]]:
    """The files, at most `MOST` of them, and their pictures, (N, 3, imgsz, imgsz), values from 0 to 1.

    Args:
        source: an image or a folder of images; None takes those that come with Ultralytics.
        imgsz: side of the square that each is fitted into.

    Raises:
        FileNotFoundError: there is none.
    """
    files = find(source or str(ASSETS))[:MOST]
    return files, np.concatenate([prepare(file, imgsz) for file in files])


def batch(pictures: NDArray[np.float32]) -> Tensor:
    """At least four pictures that differ, for batch norm to measure."""
    x = torch.from_numpy(pictures[:2])
    return torch.cat([x, torch.rand_like(x[:1]), x.flip(3), 1 - x])
