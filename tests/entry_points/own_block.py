"""The block of the page on own blocks, in a folder of its own: its file, a model YAML with it, data and weights."""

from __future__ import annotations

from pathlib import Path

import torch
from ultralytics.nn.tasks import DetectionModel

from tests.conftest import ROOT
from tests.docs.pages import blocks
from tests.entry_points import tiny

PAGE = ROOT / "docs" / "your-own-block.md"
# A small detector with the block; to be asked for as yolo11n-mine.yaml.
MODEL = """nc: 2
blocks: [my_blocks.CBAM]
scales:
  n: [0.5, 0.25, 1024]
backbone:
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 2, C3k2, [64, False, 0.5]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 1, CBAM, [4, {gate: 0.0}]]
head:
  - [[2, 4], 1, Detect, [nc]]
"""


def text(page: Path = PAGE) -> str:
    """The Python of the page."""
    return next(block.text for block in blocks(page.read_text(encoding="utf-8")) if block.language == "python")


def place(folder: Path, module: str = "my_blocks") -> Path:
    """Write the file of the block and the model YAML into a folder; returns the YAML as it is asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(text() + "\n")
    (folder / "yolo11-mine.yaml").write_text(MODEL.replace("my_blocks", module))
    return folder / "yolo11n-mine.yaml"


def working_folder(folder: Path) -> Path:
    """A folder to run the page's commands in: `my_blocks.py`, `data.yaml`, `images` and an untrained `yolo11n.pt`."""
    place(folder)
    tiny.data(folder / "d")
    (folder / "data.yaml").write_text((folder / "d" / "data.yaml").read_text())
    tiny.images(folder / "pictures", 2, seed=3)
    (folder / "pictures" / "images").rename(folder / "images")
    torch.save(
        {"model": DetectionModel("yolo11n.yaml", verbose=False), "train_args": {"task": "detect"}},
        folder / "yolo11n.pt",
    )
    return folder
