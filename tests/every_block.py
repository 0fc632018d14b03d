"""Small detectors that hold blocks of ours: all that can be inserted, so that one export shows them, or one."""

from __future__ import annotations

from pathlib import Path

import yaml
from ultralytics import YOLO

from tests.live import live
from yolo_cot.plugin.catalog import INSERTABLE

WIDTH = 32
# Forms of their own in recorded graphs: several heads, a window's stride, a block without a gate.
MORE = [["OutlookAttention", [2]], ["OutlookAttention", [{"stride": 2}]], ["Outlooker", [{"stride": 2, "gate": 0.5}]]]


def rows() -> list[list]:
    """[name, arguments] of every block that a model can hold, and of some forms of them."""
    named = [[n, [{"gate": 0.5}] if b.counts_as is None else [WIDTH]] for n, b in INSERTABLE.items()]
    return [*named, *MORE]


def detector(folder: Path, blocks: list[list]) -> YOLO:
    """Write the YAML of a detector with these rows into a folder and return the model, live."""
    stem, down = ([-1, 1, "Conv", [width, 3, 2]] for width in (16, WIDTH))
    backbone = [stem, down, *([-1, 1, *row] for row in blocks), down]
    head = [[[len(backbone) - 1], 1, "Detect", ["nc"]]]
    file = folder / "blocks.yaml"
    file.write_text(yaml.safe_dump({"nc": 3, "backbone": backbone, "head": head}))
    yolo = YOLO(file)
    live(yolo.model)
    return yolo
