"""Export: one formula for every route, run in the real runtimes on an image that was not used for tracing."""

from __future__ import annotations

import collections
from pathlib import Path

import cv2
import pytest
import torch
from ultralytics import YOLO
from ultralytics.utils import ASSETS

from tests.contract import open_gates
from tests.tolerances import EXPORTED, distance

MODEL = "yolo11n-cot-outlook.yaml"  # has both blocks


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A model with both blocks, gates open, saved; its folder is the working directory."""
    monkeypatch.chdir(tmp_path)
    model = YOLO(MODEL)
    open_gates(model.model)
    model.save("model.pt")
    return YOLO("model.pt")


def bus(height: int, width: int) -> torch.Tensor:
    """Ultralytics' bus.jpg as a network input."""
    image = cv2.resize(cv2.imread(str(ASSETS / "bus.jpg")), (width, height))[..., ::-1].copy()
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def in_torch(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return YOLO("model.pt").model.float().eval()(x)[0]


@pytest.mark.parametrize("dynamic", [False, True])
def test_onnx_agrees_with_pytorch_on_a_real_image(checkpoint, dynamic):
    onnxruntime = pytest.importorskip("onnxruntime")
    file = checkpoint.export(format="onnx", imgsz=(480, 320), dynamic=dynamic, simplify=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in [(480, 320), (640, 640)] if dynamic else [(480, 320)]:
        x = bus(*size)
        got = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
        assert distance(got, in_torch(x)) < EXPORTED


def test_the_onnx_graph_holds_only_plain_operators(checkpoint):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(checkpoint.export(format="onnx", imgsz=64, simplify=True)).graph
    used = collections.Counter((node.domain, node.op_type) for node in graph.node)
    stock = onnx.load(YOLO("yolo11n.yaml").export(format="onnx", imgsz=64, simplify=True)).graph
    ours = {name for _, name in used} - {node.op_type for node in stock.node}
    assert all(domain in {"", "ai.onnx"} for domain, _ in used)
    # Beyond what plain YOLO11 needs: the blocks' ReLU, padding, picking of pixels and the softmax written out.
    plain = {"Relu", "Pad", "Exp", "ReduceMax", "ReduceSum", "Slice", "Sub", "Div", "Mul", "Add", "Transpose", "Gather"}
    assert ours <= plain
    assert "Pad" in ours
    inferred = onnx.shape_inference.infer_shapes(onnx.load(str(YOLO("model.pt").export(format="onnx", imgsz=64))))
    ranks = [len(v.type.tensor_type.shape.dim) for v in inferred.graph.value_info]
    assert ranks
    assert max(ranks) <= 4


def test_torchscript_agrees_with_pytorch(checkpoint):
    file = checkpoint.export(format="torchscript", imgsz=(96, 64))
    x = bus(96, 64)
    assert distance(_first(torch.jit.load(file)(x)), in_torch(x)) < EXPORTED


def _first(output):
    return output[0] if isinstance(output, (list, tuple)) else output


def test_openvino_agrees_with_pytorch(checkpoint):
    openvino = pytest.importorskip("openvino", reason="openvino is not installed")
    folder = checkpoint.export(format="openvino", imgsz=(96, 64))
    compiled = openvino.Core().compile_model(next(Path(folder).glob("*.xml")), "CPU")
    x = bus(96, 64)
    assert distance(torch.from_numpy(compiled(x.numpy())[0]), in_torch(x)) < 1e-2


def test_mnn_agrees_with_pytorch(checkpoint):
    pytest.importorskip("MNN", reason="MNN is not installed")
    # MNN's converter installs this by itself where it is missing, and with it a protobuf that onnx cannot use.
    pytest.importorskip("aliyun.log", reason="MNN's converter needs aliyun-log-python-sdk, which is not installed")
    from ultralytics.nn.autobackend import AutoBackend

    file = checkpoint.export(format="mnn", imgsz=96)
    x = bus(96, 96)
    assert distance(_first(AutoBackend(file, device=torch.device("cpu"), fp16=False)(x)), in_torch(x)) < 1e-2


def test_ncnn_agrees_with_pytorch(checkpoint):
    pytest.importorskip("ncnn", reason="ncnn is not installed")
    pytest.importorskip("pnnx", reason="pnnx is not installed")
    from ultralytics.nn.autobackend import AutoBackend

    file = checkpoint.export(format="ncnn", imgsz=96)
    x = bus(96, 96)
    assert distance(_first(AutoBackend(file, device=torch.device("cpu"), fp16=False)(x)), in_torch(x)) < 2e-2
