"""onnxruntime's own recipe for integers, quant_pre_process and QDQ per channel, takes every config."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torchvision.ops import box_iou
from ultralytics import YOLO
from ultralytics.utils import ASSETS

from tests.contract import EVERY_CONFIG, scaled
from tests.every_block import detector
from tests.live import live, output, picture
from tests.tolerances import distance
from yolo_cot.commands.runtimes.load import load
from yolo_cot.commands.runtimes.quantize import quantize

SIDE = 96
# Of live models with random weights: integers of eight bits, and a network that spreads their rounding. Boxes first,
# then scores, of which those of random weights all lie near each other.
COARSE = 0.1, 0.3


def far(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether boxes or scores differ by more than eight bits explain."""
    parts = slice(None, 4), slice(4, None)
    return any(distance(got[:, part], wanted[:, part]) > coarse for part, coarse in zip(parts, COARSE))


@pytest.mark.slow
@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_every_config_becomes_integers_and_still_sees_the_picture(config, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    yolo = YOLO(scaled(config, "n"))
    live(yolo.model)
    x = picture(SIDE, SIDE)
    wanted = output(yolo.model, x)
    exported = Path(yolo.export(format="onnx", imgsz=SIDE, device="cpu", verbose=False))
    file = quantize(exported, sorted(ASSETS.glob("*.jpg")), SIDE, tmp_path / "integers.onnx")
    got = torch.from_numpy(load("onnx", file)(x.numpy())[0])
    assert not far(got, wanted)
    noise = torch.from_numpy(load("onnx", file)(torch.rand_like(x).numpy())[0])
    assert distance(noise, got) > 0.01


@pytest.mark.slow
def test_a_trained_model_finds_in_integers_what_it_finds_in_float32(shared, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    yolo = YOLO(shutil.copy(shared / "data/weights/yolo11n-coco-approx.pt", tmp_path / "best.pt"))
    exported = Path(yolo.export(format="onnx", imgsz=320, device="cpu", verbose=False))
    file = quantize(exported, sorted(ASSETS.glob("*.jpg")), 320, tmp_path / "integers.onnx")
    for shot in sorted(ASSETS.glob("*.jpg")):
        settings = {"imgsz": 320, "device": "cpu", "verbose": False}
        every, got = (YOLO(model, task="detect")(shot, **settings)[0].boxes for model in (exported, file))
        wanted = every[every.conf > 0.5]
        assert len(wanted) >= 2
        overlap, same = (box_iou(wanted.xyxy, got.xyxy) * (wanted.cls[:, None] == got.cls)).max(1)
        assert overlap.min() > 0.8
        assert (got.conf[same] - wanted.conf).abs().max() < 0.15


@pytest.mark.slow
def test_a_file_of_any_size_becomes_integers_too(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    yolo = detector(tmp_path, [["OutlookAttention", [{"gate": 0.5}]]])
    exported = Path(yolo.export(format="onnx", imgsz=SIDE, dynamic=True, device="cpu", verbose=False))
    pictures = sorted(ASSETS.glob("*.jpg"))
    with pytest.raises(Exception, match="Incomplete symbolic shape inference"):
        quantize(exported, pictures, SIDE, tmp_path / "integers.onnx")
    file = quantize(exported, pictures, SIDE, tmp_path / "integers.onnx", dynamic=True)
    x = picture(64, SIDE)
    assert not far(torch.from_numpy(load("onnx", file)(x.numpy())[0]), output(yolo.model, x))
