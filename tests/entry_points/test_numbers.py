"""Numbers: no NaN out of a block under autocast at extreme inputs, and repeats that are equal to the bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from ultralytics import YOLO

from tests.entry_points import tiny
from yolo_cot.plugin.catalog import INSERTABLE

CHANNELS = 32


def make(name: str, **arguments) -> nn.Module:
    block = INSERTABLE[name]
    return block.cls(CHANNELS, **arguments) if block.counts_as is None else block.cls(CHANNELS, CHANNELS, **arguments)


def inputs(kind: str, device: str = "cpu") -> torch.Tensor:
    shapes = {"1 x 1": (2, CHANNELS, 1, 1), "batch 1": (1, CHANNELS, 5, 7)}
    x = torch.randn(shapes.get(kind, (2, CHANNELS, 6, 6)), device=device)
    scale = {"1e4": 1e4, "tiny": 1e-6, "zeros": 0.0}.get(kind, 1.0)
    return (
        torch.full_like(x, 1e4) if kind == "constant 1e4" else torch.ones_like(x) if kind == "constant" else x * scale
    )


KINDS = ["1e4", "constant", "constant 1e4", "zeros", "tiny", "1 x 1", "batch 1"]


def check(name: str, kind: str, dtype: torch.dtype, device: str, fused: bool = False) -> None:
    block = make(name).to(device).train()
    x = inputs(kind, device).requires_grad_()
    with torch.autocast(device, dtype):
        y = block(x)
    assert y.isfinite().all()
    y.float().mean().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in block.parameters() if p.grad is not None)
    block.eval()
    with torch.no_grad(), torch.autocast(device, dtype):
        assert block(x).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", INSERTABLE)
def test_training_under_bfloat16_gives_no_nan_at_extreme_inputs(name, kind):
    check(name, kind, torch.bfloat16, "cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 autocast is tried on a GPU, and there is none")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", INSERTABLE)
def test_training_under_float16_gives_no_nan_at_extreme_inputs(name, kind):
    check(name, kind, torch.float16, "cuda")


@pytest.mark.parametrize("name", [name for name, block in INSERTABLE.items() if block.counts_as is None])
def test_a_gate_far_from_its_start_stays_finite_under_bfloat16(name):
    block = make(name, gate=100.0).train()
    x = inputs("1e4").requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = block(x)
    y.float().mean().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()


def test_a_deterministic_training_repeats_to_the_bit(tmp_path):
    model, data = tiny.model(tmp_path).with_name("yolo11n-tiny.yaml"), tiny.data(tmp_path / "d")
    states = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        yolo = YOLO(model, verbose=False)
        yolo.train(
            data=str(data),
            epochs=1,
            imgsz=64,
            batch=4,
            device="cpu",
            workers=0,
            amp=False,
            plots=False,
            deterministic=True,
            seed=seed,
            project=str(tmp_path / "runs"),
            name=name,
            verbose=False,
        )
        last = torch.load(tmp_path / "runs" / name / "weights" / "last.pt", weights_only=False)
        states.append((last["ema"] or last["model"]).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert not all(torch.equal(value, states[2][key]) for key, value in states[0].items())


def test_a_last_batch_of_one_image_trains(tmp_path):
    model, data = tiny.model(tmp_path).with_name("yolo11n-tiny.yaml"), tiny.data(tmp_path / "d", count=5)
    yolo = YOLO(model, verbose=False)
    settings = {"imgsz": 64, "batch": 4, "device": "cpu", "workers": 0, "amp": False, "plots": False, "epochs": 1}
    yolo.train(data=str(data), project=str(tmp_path / "runs"), name="t", verbose=False, **settings)
    last = torch.load(tmp_path / "runs" / "t" / "weights" / "last.pt", weights_only=False)
    assert all(v.isfinite().all() for v in (last["ema"] or last["model"]).state_dict().values())
