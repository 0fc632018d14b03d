"""Write a checkpoint of Ultralytics' layout."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import torch
from ultralytics import __version__ as ultralytics_version


def save_full(model: torch.nn.Module, file: str | Path, task: str) -> None:
    """Write a checkpoint with the weights as they are; `YOLO.save` would halve their precision.

    Args:
        model: an Ultralytics model.
        file: the `.pt` file to write.
        task: `classify`, `detect`, …
    """
    args = {"task": task, "imgsz": 224 if task == "classify" else 640}
    # What Ultralytics' own loading puts on a model that was built from a YAML, and writes into checkpoints.
    model.args = args  # type: ignore[assignment]
    checkpoint = {
        "date": datetime.now().isoformat(),
        "version": ultralytics_version,
        "epoch": -1,
        "model": model.eval(),
        "ema": None,
        "train_args": dict(args),
    }
    torch.save(checkpoint, file)
