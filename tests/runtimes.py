"""The formats that are exported to and run here, each as a function from a live model and a picture to its output."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from ultralytics import YOLO


def _size(x: Tensor) -> dict[str, object]:
    return {"imgsz": tuple(x.shape[2:]), "device": "cpu", "verbose": False}


def run_onnx(file: str, x: Tensor) -> Tensor:
    """The first output of an ONNX file for a picture."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


def onnx(yolo: YOLO, x: Tensor, **settings: object) -> Tensor:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    return run_onnx(yolo.export(format="onnx", simplify=True, **_size(x), **settings), x)


def torchscript(yolo: YOLO, x: Tensor) -> Tensor:
    found = torch.jit.load(yolo.export(format="torchscript", **_size(x)))(x)
    return found[0] if isinstance(found, (list, tuple)) else found


def openvino(yolo: YOLO, x: Tensor) -> Tensor:
    """In float32: OpenVINO takes bfloat16 by itself on processors that have it."""
    runtime = pytest.importorskip("openvino", reason="openvino is not installed")
    file = next(Path(yolo.export(format="openvino", **_size(x))).glob("*.xml"))
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return torch.from_numpy(runtime.Core().compile_model(file, "CPU", hints)(x.numpy())[0])


def ncnn(yolo: YOLO, x: Tensor) -> Tensor:
    """In float32, storage too. The array is read as it lies in memory, so it has to be contiguous."""
    runtime = pytest.importorskip("ncnn", reason="ncnn is not installed")
    pytest.importorskip("pnnx", reason="pnnx is not installed")
    folder = Path(yolo.export(format="ncnn", **_size(x)))
    net = runtime.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.load_param(str(folder / "model.ncnn.param"))
    net.load_model(str(folder / "model.ncnn.bin"))
    with net.create_extractor() as extractor:
        extractor.input("in0", runtime.Mat(np.ascontiguousarray(x[0].numpy())).clone())
        return torch.from_numpy(np.array(extractor.extract("out0")[1]))[None]


def ultralytics(form: str, yolo: YOLO, x: Tensor) -> Tensor:
    """By what Ultralytics runs the format with."""
    from ultralytics.nn.autobackend import AutoBackend

    file = yolo.export(format=form, **_size(x))
    found = AutoBackend(str(file), device=torch.device("cpu"), fp16=False)(x)
    return found[0] if isinstance(found, (list, tuple)) else found


def mnn(yolo: YOLO, x: Tensor) -> Tensor:
    pytest.importorskip("MNN", reason="MNN is not installed")
    # MNN's converter installs this by itself where it is missing, and with it a protobuf that onnx cannot use.
    pytest.importorskip("aliyun.log", reason="MNN's converter needs aliyun-log-python-sdk, which is not installed")
    return ultralytics("mnn", yolo, x)


def litert(yolo: YOLO, x: Tensor) -> Tensor:
    pytest.importorskip("litert_torch", reason="litert-torch is not installed")
    return ultralytics("litert", yolo, x)


def executorch(yolo: YOLO, x: Tensor) -> Tensor:
    pytest.importorskip("executorch", reason="executorch is not installed")
    return ultralytics("executorch", yolo, x)


FORMATS: dict[str, Callable[..., Tensor]] = {
    function.__name__: function for function in (onnx, torchscript, openvino, ncnn, mnn, litert, executorch)
}


def run(form: str, yolo: YOLO, x: Tensor, folder: Path, **settings: object) -> Tensor:
    """Export a model into a folder and return what the format's own runtime makes of the picture."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return FORMATS[form](yolo, x, **settings)
    finally:
        os.chdir(before)
