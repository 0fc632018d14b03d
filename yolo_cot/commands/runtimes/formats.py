"""Every format of Ultralytics' exporter: what its converter and its runtime need, and what to do where that is not."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec

import torch

EXPORT = 'pip install "yolo-cot[export]"'


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        converter: the modules that converting imports.
        runtime: the modules that running the file imports.
        install: what brings them.
        elsewhere: where the file runs, if not on every computer; "" for everywhere.
        system: the value of `sys.platform` that it runs on; "" for all.
        refuses: why it takes no model with rows put in; "" if it does.
        integers: whether it has integers in every precision, for which `data` is needed.
    """

    converter: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()
    install: str = ""
    elsewhere: str = ""
    system: str = ""
    refuses: str = ""
    integers: bool = False


_TENSORFLOW = ("tensorflow", "onnx2tf", "onnx")
FORMATS = {
    "torchscript": Format(),
    "onnx": Format(("onnx", "onnxslim"), ("onnxruntime",), EXPORT),
    "openvino": Format(("openvino",), ("openvino",), "pip install openvino"),
    "ncnn": Format(("ncnn", "pnnx"), ("ncnn",), "pip install ncnn pnnx==20260526"),
    "mnn": Format(("MNN", "aliyun.log", "onnx"), ("MNN",), 'pip install MNN aliyun-log-python-sdk "protobuf<6"'),
    "litert": Format(("litert_torch",), ("ai_edge_litert",), "pip install litert-torch ai-edge-litert"),
    "executorch": Format(("executorch",), ("executorch",), "pip install executorch"),
    "saved_model": Format(_TENSORFLOW, ("tensorflow",), "pip install tensorflow onnx2tf (Python 3.12, see docs)"),
    "pb": Format(_TENSORFLOW, ("tensorflow",), "pip install tensorflow onnx2tf (Python 3.12, see docs)"),
    "paddle": Format(("paddle", "x2paddle"), ("paddle",), "pip install paddlepaddle x2paddle"),
    "engine": Format(("tensorrt",), ("tensorrt",), "pip install tensorrt", "NVIDIA GPUs"),
    "coreml": Format(("coremltools",), ("coremltools",), "pip install coremltools", "macOS", "darwin"),
    "coreai": Format(("coreai_torch",), ("coreai_torch",), "pip install coreai-torch", "macOS 26", "darwin"),
    "edgetpu": Format(
        _TENSORFLOW, ("tflite_runtime",), "Google's edgetpu_compiler", "Coral boards", "none", integers=True
    ),
    "rknn": Format(("rknn",), ("rknnlite",), "pip install rknn-toolkit2", "Rockchip boards", "none"),
    "qnn": Format(
        ("onnxruntime_qnn",), (), "pip install onnxruntime-qnn", "Snapdragon processors", "none", integers=True
    ),
    "axelera": Format(("axelera",), (), "Axelera's devkit", "Axelera boards", "none", integers=True),
    "deepx": Format(("dx_com",), (), "DEEPX' compiler", "DEEPX boards", "none", integers=True),
    "ascend": Format(("acl",), (), "Huawei's CANN", "Ascend processors", "none"),
    "xilinx": Format(("vaitrace",), (), "AMD's Vitis AI", "AMD Xilinx boards", "none", integers=True),
    "imx": Format(refuses="Its converter takes YOLOv8n and YOLO11n with exactly their stock modules."),
    "hailo": Format(refuses="Its compiler finds the ends of the network by the row numbers of stock models."),
}
# Under other names in releases of Ultralytics before 8.4.83, where it took another converter.
OLDER = {"tflite", "tfjs"}


def missing(modules: tuple[str, ...]) -> list[str]:
    """The modules that are not installed; none of them is imported."""
    return [name for name in modules if not _there(name)]


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it belongs to
        return False


def obstacle(name: str) -> str:
    """Why nothing is converted to a format here, and the remedy, in one sentence; "" if it can be tried."""
    known = FORMATS.get(name)
    if known is None:
        return f"yolo-cot does not know what {name} needs; try it with  yolo export format={name}."
    if known.refuses:
        return f"{known.refuses} Export the plain model, or take another format."
    if name == "engine" and not torch.cuda.is_available():
        return (
            "TensorRT builds on the NVIDIA GPU that the file is for; none is here, so run this on a machine with one."
        )
    lacking = missing(known.converter)
    return f"not installed: {', '.join(lacking)}; {known.install}." if lacking else ""


def runs_here(name: str) -> str:
    """Why a converted file is not run here, in one sentence; "" if it is."""
    known = FORMATS[name]
    if known.system and known.system != sys.platform:
        return f"it converts; it runs on {known.elsewhere} only."
    lacking = missing(known.runtime)
    return f"it converts; its runtime is not installed: {', '.join(lacking)}; {known.install}." if lacking else ""
