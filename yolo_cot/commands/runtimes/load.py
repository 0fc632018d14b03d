"""Load an exported file into its own runtime: a function from a picture to the raw outputs.

The runtimes that have a choice of arithmetic are told to take float32 where the file holds float32: OpenVINO takes
bfloat16 by itself on processors that have it, NCNN and MNN half precision.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ultralytics.nn.autobackend import AutoBackend

Picture = NDArray[np.float32]  # (1, 3, height, width), from 0 to 1
Runner = Callable[[Picture], list[NDArray[Any]]]


def load(name: str, file: Path, threads: int = 1, precision: str = "32") -> Runner:
    """The function that runs a file on one picture.

    Args:
        name: the format, as Ultralytics calls it.
        file: the exported file or folder.
        threads: how many the runtime may take, where it lets itself be told.
        precision: of the file: 32, 16 or 8.
    """
    own = {"torchscript": _torchscript, "onnx": _onnx, "openvino": _openvino, "ncnn": _ncnn, "mnn": _mnn}
    return own.get(name, _ultralytics)(file, threads, precision)


def _torchscript(file: Path, threads: int, precision: str) -> Runner:
    module = torch.jit.load(str(file)).eval()

    def run(picture: Picture) -> list[NDArray[Any]]:
        with torch.inference_mode():
            return arrays(module(torch.from_numpy(picture)))

    return run


def _onnx(file: Path, threads: int, precision: str) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads wait for work actively, onnxruntime's default, but only while their own session runs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    kind = np.float16 if entry.type == "tensor(float16)" else np.float32
    return lambda picture: session.run(None, {entry.name: picture.astype(kind, copy=False)})


def _openvino(file: Path, threads: int, precision: str) -> Runner:
    import openvino

    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if precision == "32":
        hints["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = openvino.Core().compile_model(next(file.glob("*.xml")), "CPU", hints)
    return lambda picture: [np.array(value) for value in compiled(picture).values()]


def _ncnn(file: Path, threads: int, precision: str) -> Runner:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    if precision == "32":
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(net.opt, option, False)
    net.load_param(str(next(file.glob("*.param"))))
    net.load_model(str(next(file.glob("*.bin"))))
    names = sorted(net.output_names())

    def run(picture: Picture) -> list[NDArray[Any]]:
        # NCNN reads the array as it lies in memory.
        with net.create_extractor() as extractor:
            extractor.input(net.input_names()[0], ncnn.Mat(np.ascontiguousarray(picture[0])))
            return [np.array(extractor.extract(name)[1])[None] for name in names]

    return run


def _mnn(file: Path, threads: int, precision: str) -> Runner:
    import MNN

    chosen = {"precision": "high" if precision == "32" else "low", "backend": "CPU", "numThread": threads}
    manager = MNN.nn.create_runtime_manager((chosen,))
    net = MNN.nn.load_module_from_file(str(file), [], [], runtime_manager=manager, rearrange=True)

    def run(picture: Picture) -> list[NDArray[Any]]:
        held = np.ascontiguousarray(picture)
        given = MNN.expr.const(held.ctypes.data, held.shape)
        return [value.read().copy() for value in net.onForward([given])]

    return run


def _ultralytics(file: Path, threads: int, precision: str) -> Runner:
    """Whatever Ultralytics runs the format with."""
    device = torch.device("cuda:0" if file.suffix == ".engine" else "cpu")
    backend = AutoBackend(str(file), device=device, fp16=precision == "16")
    return lambda picture: arrays(backend(torch.from_numpy(picture).to(device)))


def arrays(found: Any) -> list[NDArray[Any]]:
    """The arrays in a nested output of a model."""
    if isinstance(found, torch.Tensor):
        return [found.detach().float().cpu().numpy()]
    if isinstance(found, np.ndarray):
        return [found]
    parts = found.values() if isinstance(found, dict) else found
    return [array for part in parts for array in arrays(part)]
