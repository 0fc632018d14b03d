"""Run a module in onnxruntime as Ultralytics exports it, and only if it computes what PyTorch computes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..timing import relative_difference

TOLERANCE = 1e-3  # of float32 outputs and gradients, relative to the largest


class ParityError(ValueError):
    """Two forms that must agree do not; no time is reported."""


def onnx_runner(name: str, module: nn.Module, x: Tensor) -> Callable[[], list]:
    """Export a module, simplify it as Ultralytics does, and return the function that runs it in onnxruntime on `x`.

    One image, static shapes, opset 18, simplified by onnxslim.

    Raises:
        ParityError: the output differs from PyTorch's.
        ImportError: onnx, onnxruntime or onnxslim is not installed.
    """
    try:
        import onnx
        import onnxruntime
        import onnxslim
    except ImportError as error:
        raise ImportError("The onnxruntime comparison needs: pip install 'yolo-cot[export]'.") from error
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's notes on tracing and deprecation
        # The stubs of some releases of torch do not name file objects, which all releases take.
        export: Callable[..., object] = torch.onnx.export
        export(module, (x,), buffer, opset_version=18, dynamo=False, input_names=["x"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads wait for work actively, onnxruntime's default, but only while their own session runs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    graph = onnxslim.slim(onnx.load_from_string(buffer.getvalue())).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feed = {"x": x.numpy()}
    with torch.inference_mode():
        wanted = module(x)
        # A segmenter gives its detections first, then the prototypes of the masks.
        wanted = wanted[0] if isinstance(wanted, (list, tuple)) else wanted
        gap = relative_difference(torch.from_numpy(session.run(None, feed)[0]), wanted)
    if not gap < TOLERANCE:
        raise ParityError(f"{name} at {tuple(x.shape)}: onnxruntime differs from PyTorch by {gap:.1e}.")
    return lambda: session.run(None, feed)
