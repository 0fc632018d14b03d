"""Pretrained weights in a wider model: it must start as the very same function."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

from tests.commands.ablate.ablations import PLAIN, models
from tests.entry_points import tiny
from yolo_cot.commands.ablate.controls.model import model_of
from yolo_cot.commands.ablate.controls.widened import scale_of, with_width
from yolo_cot.commands.ablate.runs.train import train
from yolo_cot.commands.ablate.runs.widen import CannotWiden, fitted, widen


def pair(name, factor):
    """A model as if it were trained, and one that is wider."""
    (base,) = models(name)
    narrow = DetectionModel(f"{name}.yaml", verbose=False).eval()
    for module in narrow.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    values = with_width(base, round(scale_of(base)[0] * factor, 4)).values
    return narrow, DetectionModel({**values, "scale": name[-1]}, verbose=False).eval()


@pytest.mark.parametrize("name, factor", [("yolo11n", 1.1), ("yolo11n", 1.3), ("yolov8n", 1.2), ("yolo11s", 1.1)])
def test_the_wider_model_computes_the_same_and_every_new_channel_can_learn(name, factor):
    narrow, wide = pair(name, factor)
    x = torch.rand(2, 3, 96, 64)
    before = wide(x)[0].detach()
    widen(narrow, wide)
    wanted, got = narrow(x)[0].detach(), wide(x)[0]
    assert (got - wanted).abs().max() < 1e-3 < (before - wanted).abs().max()
    assert sum(p.numel() for p in wide.parameters()) > sum(p.numel() for p in narrow.parameters())
    (got * torch.randn_like(got)).sum().backward()
    # Weights that are 0 get a gradient, which lets the new channels in.
    unread = [m.weight for m in wide.model[:10].modules() if isinstance(m, nn.Conv2d) and (m.weight == 0).any()]
    assert unread
    assert all(w.grad[w == 0].abs().sum() > 0 for w in unread)


def test_models_that_do_not_hold_the_weights_are_refused():
    narrow, wide = pair("yolo11n", 1.1)
    with pytest.raises(CannotWiden, match=r"has fewer channels in the wider model"):
        widen(wide, narrow)
    with pytest.raises(CannotWiden, match=r"has other layers than the weights"):
        widen(DetectionModel("yolov8n.yaml", verbose=False), wide)
    with pytest.raises(CannotWiden, match=r"layers that are no convolutions"):
        widen(*(DetectionModel(f"yolo11{s}-outlook.yaml", verbose=False) for s in "ns"))
    # Three heads where there were two.
    with pytest.raises(CannotWiden, match=r"another number of attention heads"):
        widen(DetectionModel("yolo11n.yaml", verbose=False), DetectionModel("yolo11s.yaml", verbose=False))


def test_a_run_of_a_widened_model_starts_from_the_weights(tmp_path, caplog):
    folder, data = tmp_path / "runs" / "wide-seed0", tiny.data(tmp_path / "d")
    folder.mkdir(parents=True)
    base = model_of("yolo11n-plain", PLAIN)
    (tmp_path / "yolo11n-plain.yaml").write_text(base.text)
    (tmp_path / "yolo11n-plain-width-0.35.yaml").write_text(with_width(base, 0.35).text)
    YOLO(tmp_path / "yolo11n-plain.yaml").save(tmp_path / "weights.pt")
    settings = {"data": str(data), "epochs": 1, "imgsz": 64, "batch": 4, "workers": 0, "amp": False, "device": "cpu"}
    settings |= {"plots": False, "pretrained": str(tmp_path / "weights.pt")}
    wide = str(tmp_path / "yolo11n-plain-width-0.35.yaml")
    result = train(wide, 0, settings, folder, "val", widened=True)
    tensors = len(YOLO(wide).model.state_dict())
    assert f"Transferred {tensors}/{tensors} items" in caplog.text
    assert result["parameters"] > sum(p.numel() for p in YOLO(tmp_path / "weights.pt").model.parameters())
    assert not (folder / "start.pt").exists()


def test_weights_that_cannot_be_widened_are_given_as_they_are(tmp_path, monkeypatch, capsys):
    def refuse(narrow, wide):
        raise CannotWiden("no such layer.")

    monkeypatch.setattr("yolo_cot.commands.ablate.runs.widen.widen", refuse)
    (tmp_path / "yolo11n-plain.yaml").write_text(PLAIN)
    YOLO(tmp_path / "yolo11n-plain.yaml").save(tmp_path / "weights.pt")
    given = str(tmp_path / "weights.pt")
    assert fitted(str(tmp_path / "yolo11n-plain.yaml"), given, tmp_path / "start.pt") == given
    assert "The pretrained weights could not be widened: no such layer." in capsys.readouterr().out
