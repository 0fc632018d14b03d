"""OutlookAttention: inference, training, memory formats and number formats agree."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import distance
from yolo_cot.nn import OutlookAttention, Outlooker

WIDTH = 64


def block(stride: int = 1) -> OutlookAttention:
    torch.manual_seed(0)
    return OutlookAttention(WIDTH, stride=stride).eval()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 7, 5), (3, 8, 8)])
def test_inference_gives_what_training_sees(stride, size):
    attention = block(stride)
    b, h, w = size
    x = torch.randn(b, WIDTH, h, w)
    before = x.clone()
    wanted = attention(x)
    with torch.no_grad():
        assert distance(attention(x), wanted) < 1e-6
    assert torch.equal(x, before)


def test_entries_are_dropped_in_training_only():
    torch.manual_seed(0)
    attention, x = OutlookAttention(WIDTH, attn_drop=0.5), torch.randn(1, WIDTH, 6, 5)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_channels_last_stay_last():
    attention, x = block(), torch.randn(2, WIDTH, 6, 5)
    last = x.to(memory_format=torch.channels_last)
    for context in (torch.no_grad, torch.enable_grad):
        with context():
            wanted, y = attention(x), attention(last)
        assert wanted.is_contiguous()
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert distance(y, wanted) < 1e-6


def test_autocast_at_inference_and_in_training():
    attention, x = block(), torch.randn(2, WIDTH, 6, 5)
    wanted = attention(x)
    for context in (torch.no_grad, torch.enable_grad):
        with context(), torch.autocast("cpu", torch.bfloat16):
            y = attention(x)
        assert y.dtype == torch.bfloat16
        assert distance(y, wanted) < 2e-2


@pytest.mark.parametrize("make", [lambda: OutlookAttention(32), lambda: Outlooker(32)])
def test_weights_with_the_scale_folded_in_fit_a_folded_block_only(make):
    plain, folded = make(), make()
    (folded if isinstance(folded, OutlookAttention) else folded.attn).fuse()
    with pytest.raises(RuntimeError, match=r"logits\.weight"):
        plain.load_state_dict(folded.state_dict())
    with pytest.raises(RuntimeError, match=r"logits\.weight"):
        folded.load_state_dict(plain.state_dict())
    folded.load_state_dict(folded.state_dict())


def test_a_pickle_of_a_folded_block_of_version_0_1_is_scaled_once():
    attention, x = block(), torch.randn(1, WIDTH, 5, 4)
    wanted = attention(x)
    with torch.no_grad():
        attention.attn.weight *= attention.attn.scale
        attention.attn.bias *= attention.attn.scale
    attention.attn.__setstate__({**vars(attention.attn), "folded": True})
    assert distance(attention(x), wanted) < 1e-6


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("grad", [False, True])
def test_an_empty_batch_gives_an_empty_batch(stride, grad):
    attention, x = block(stride), torch.randn(0, WIDTH, 7, 5, requires_grad=grad)
    y = attention(x)
    assert y.shape == x.shape
    if grad:
        y.sum().backward()
        assert x.grad is not None


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("stride", [1, 2])
def test_an_export_keeps_height_and_width_dynamic(stride, strict):
    """At stride 2 they are given as multiples of it, since the solver cannot follow rounding up."""
    attention, x = block(stride), torch.randn(1, WIDTH, 12, 10)
    sides = [stride * torch.export.Dim(name, min=3, max=512) for name in ("height", "width")]
    program = torch.export.export(attention, (x,), dynamic_shapes=({2: sides[0], 3: sides[1]},), strict=strict)
    for h, w in ((6, 5), (7, 3), (3, 100), (16, 21)):
        x = torch.randn(1, WIDTH, stride * h, stride * w)
        assert distance(program.module()(x), attention(x)) < 1e-5


@pytest.mark.parametrize("make", [lambda: OutlookAttention(32), lambda: Outlooker(32, stride=2)])
def test_onnxruntimes_preparation_for_quantization_knows_every_operator(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it leaves files where it runs
    onnx, onnxslim = pytest.importorskip("onnx"), pytest.importorskip("onnxslim")
    quantization = pytest.importorskip("onnxruntime.quantization.shape_inference")
    file = tmp_path / "block.onnx"
    torch.onnx.export(make().eval(), (torch.randn(1, 32, 12, 10),), str(file), opset_version=18, dynamo=False)
    onnx.save(onnxslim.slim(onnx.load(file)), file)
    quantization.quant_pre_process(file, tmp_path / "prepared.onnx")
    assert (tmp_path / "prepared.onnx").exists()
