"""Export a checkpoint through Ultralytics, whose releases name the precision differently."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO
from ultralytics.utils import DEFAULT_CFG_DICT

from .formats import FORMATS, Format

PRECISIONS = ("32", "16", "8")


def export(
    weights: Path, name: str, imgsz: int, precision: str = "32", data: str | None = None, **settings: Any
) -> Path:
    """Export beside the checkpoint.

    Args:
        weights: the checkpoint.
        name: the format, as Ultralytics calls it.
        imgsz: side of the picture.
        precision: one of `PRECISIONS`; 16 is half, 8 integers.
        data: the data set's YAML whose pictures calibrate integers, which some formats have always.
        **settings: further arguments of Ultralytics' `export`.

    Returns:
        The file or folder.
    """
    chosen = dict(settings)
    if precision != "32":
        newer = "quantize" in DEFAULT_CFG_DICT
        chosen |= {"quantize": int(precision)} if newer else {"half" if precision == "16" else "int8": True}
    if data and (precision == "8" or FORMATS.get(name, Format()).integers):
        chosen["data"] = data
    device = "0" if name == "engine" and torch.cuda.is_available() else "cpu"
    return Path(YOLO(weights).export(format=name, imgsz=imgsz, device=device, verbose=False, **chosen))


def export_into(folder: Path, weights: Path, name: str, imgsz: int, **settings: Any) -> Path:
    """Export into a folder of its own, where a copy of the checkpoint stands meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / weights.name
    shutil.copy(weights, copy)
    try:
        return export(copy, name, imgsz, **settings)
    finally:
        copy.unlink()


def megabytes(path: Path) -> float:
    """Size of a file, or of all files in a folder, in millions of bytes."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6
