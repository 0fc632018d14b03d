"""The block of the page on own blocks, in a folder of its own: its file, a model YAML with it, data and weights.

Beside it two more kinds of class: one that changes channels, and one that counts as C3k2.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from ultralytics.nn.tasks import DetectionModel

from tests.conftest import ROOT
from tests.docs.pages import blocks
from tests.entry_points import tiny
from yolo_cot.plugin.catalog import BLOCKS, table

PAGE = ROOT / "docs" / "your-own-block.md"
# What stands below the page's class in the file, for the tests that want all three kinds.
MORE = '''
import yolo_cot
from ultralytics.nn.modules import C3k2, Conv


class Mixer(nn.Module):
    """Changes channels, as Conv does."""

    def __init__(self, c1, c2, k=3, s=1):
        super().__init__()
        self.spatial = Conv(c1, c1, k, s, g=c1)
        self.channels = Conv(c1, c2, 1)

    def forward(self, x):
        return self.channels(self.spatial(x))


@yolo_cot.register(counts_as=C3k2)
class C3k2Mine(C3k2):
    """Counts as C3k2."""

    def __init__(self, c1, c2, n=1, c3k=False, e=0.5, attn=False, scale=1.0):
        super().__init__(c1, c2, n, c3k, e, **({"attn": True} if attn else {}))
        self.scale = scale
'''
# A small detector, and the row of each kind that is put in behind its backbone.
PLAIN = """nc: 2
scales:
  n: [0.5, 0.25, 1024]
backbone:
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 2, C3k2, [64, False, 0.5]]
  - [-1, 1, Conv, [128, 3, 2]]
head:
  - [[2, 3], 1, Detect, [nc]]
"""
ROWS = {
    "CBAM": "CBAM, [4, {gate: 0.0}]",
    "Mixer": "Mixer, [128]",
    "C3k2Mine": "C3k2Mine, [128, False, 0.5, {scale: 2.0}]",
}


def text(page: Path = PAGE) -> str:
    """The Python of the page."""
    return next(block.text for block in blocks(page.read_text(encoding="utf-8")) if block.language == "python")


def model(kind: str, module: str = "my_blocks") -> str:
    """The text of the small detector with a block of one kind; to be asked for as yolo11n-mine.yaml."""
    rows = PLAIN.replace("head:\n  - [[2, 3]", f"  - [-1, 1, {ROWS[kind]}]\nhead:\n  - [[2, 4]")
    return f"blocks: [{module}.{kind}]\n{rows}"


def place(folder: Path, module: str = "my_blocks", kind: str = "CBAM") -> Path:
    """Write the file of the block and the model YAML into a folder; returns the YAML as it is asked for.

    The plain model is written beside it, as yolo11-plain.yaml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(text() + "\n" + (MORE if kind != "CBAM" else ""))
    (folder / "yolo11-mine.yaml").write_text(model(kind, module))
    (folder / "yolo11-plain.yaml").write_text(PLAIN)
    return folder / "yolo11n-mine.yaml"


@contextmanager
def imported(folder: Path, more: str = MORE) -> Iterator[ModuleType]:
    """The file's module, under a name that no other test has; everything of it is gone afterwards."""
    name, before, path = f"my_blocks_{folder.name}", set(BLOCKS), sys.path[:]
    (folder / f"{name}.py").write_text(text() + more)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(name)
    finally:
        for block in set(BLOCKS) - before:
            table.remove(block)
        sys.modules.pop(name, None)
        sys.path[:] = path


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
