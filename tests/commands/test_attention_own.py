"""A block of the user's says what it looks at by one method, and the pages show it at its place."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
import torch
from ultralytics import YOLO

from tests.commands.verbs import call
from tests.entry_points import own_block
from yolo_cot.commands import attention
from yolo_cot.commands.attention.panels import panels
from yolo_cot.commands.attention.recorder import recorder

# Looks at the cell right of the point, in one head, and at the mean of its own input in another.
LOOKS = """

class Looks(nn.Module):
    def __init__(self, c1):
        super().__init__()
        self.conv = nn.Conv2d(c1, c1, 1)

    def forward(self, x):
        return self.conv(x)

    def attention_at(self, x, row, column):
        weights = torch.zeros(2, *x.shape[2:])
        weights[0, row, min(column + 1, x.shape[3] - 1)] = 1
        weights[1] = x[0].mean(0).abs()
        return weights


class Wrong(Looks):
    def attention_at(self, x, row, column):
        return x
"""
MODEL = own_block.PLAIN.replace("head:\n  - [[2, 3]", "  - [-1, 1, Looks, [{gate: 0.5}]]\nhead:\n  - [[2, 4]")


@pytest.fixture
def model(tmp_path):
    """The function that opens a small model with one of the blocks."""
    with own_block.imported(tmp_path, LOOKS) as my:

        def opened(block):
            text = f"blocks: [{my.__name__}.{block}]\n{MODEL.replace('Looks', block)}"
            (tmp_path / f"yolo11-{block.lower()}.yaml").write_text(text)
            return YOLO(tmp_path / f"yolo11n-{block.lower()}.yaml")

        yield opened


def test_its_weights_lie_where_it_says(model):
    image = np.full((64, 64, 3), 128, np.uint8)
    with recorder(model("Looks")) as record:
        seen = record.see(image, imgsz=64)
    (block,), (reading,) = record.blocks, seen.readings
    assert block.title == "row 4: Gated block: Looks"
    assert float(block.gate.mean()) == 0.5
    assert reading.size == (8, 8)
    found = panels(seen, reading, [(20.0, 36.0)])
    assert [(panel.section, panel.title) for panel in found] == [("Point 1", "head 1"), ("Point 1", "head 2")]
    # The point is in the cell of row 4 and column 2; the brightest cell of the picture is the one right of it.
    pixels = found[0].pixels.astype(int)
    cell = pixels.shape[0] // 8
    means = pixels[: 8 * cell, : 8 * cell].sum(2).reshape(8, cell, 8, cell).mean((1, 3))
    odd = np.argwhere(np.abs(means - np.median(means)) > 20)
    assert odd.tolist() == [[4, 3]]


def test_the_command_shows_it_and_tells_a_wrong_shape(model, tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))
    model("Looks").save(tmp_path / "looks.pt")
    call(attention, model=tmp_path / "looks.pt", source=tmp_path / "a.jpg", imgsz=64, project=tmp_path / "r")
    with (tmp_path / "r/a/numbers.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["block"], row["gate_abs"]) == ("Looks", "0.5")
    assert "the weight that the block says" in (tmp_path / "r/a/index.html").read_text()
    model("Wrong").save(tmp_path / "wrong.pt")
    with pytest.raises(ValueError, match=r"Wrong.attention_at gives the weight of every cell, .*; got \(1, 32"):
        call(attention, model=tmp_path / "wrong.pt", source=tmp_path / "a.jpg", imgsz=64, project=tmp_path / "w")


def test_a_model_without_any_is_told_what_a_block_needs(model, tmp_path):
    YOLO("yolo11n.yaml").save(tmp_path / "plain.pt")
    cv2.imwrite(str(tmp_path / "a.jpg"), torch.zeros(64, 64, 3).byte().numpy())
    with pytest.raises(ValueError, match="a block of your own with a method attention_at"):
        call(attention, model=tmp_path / "plain.pt", source=tmp_path / "a.jpg", project=tmp_path / "p")
