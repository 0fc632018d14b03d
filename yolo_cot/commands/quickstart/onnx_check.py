"""Whether an exported ONNX file runs anywhere and computes what the checkpoint computes."""

from __future__ import annotations

import os

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox

from ..runtimes.compare import largest_error, unordered

TOLERANCE = 1e-4


def compare(
    onnx: str | os.PathLike[str], weights: str | os.PathLike[str], image: str | os.PathLike[str], size: int
) -> float:
    """Run a picture through the ONNX file and through PyTorch.

    Args:
        onnx: the file, exported without NMS.
        weights: the checkpoint it was exported from.
        image: a picture, padded to a square of `size` pixels.
        size: side that the file was exported for.

    Returns:
        The largest difference of the raw outputs, of boxes and of scores, relative to their largest value.

    Raises:
        ValueError: an operator that not every runtime has, outputs of different shapes, or a difference over
            `TOLERANCE`.
    """
    import onnxruntime

    if foreign := {name for name in operators(onnx) if name == "Col2Im" or "::" in name}:
        raise ValueError(f"{onnx} must hold standard operators only; it holds {', '.join(sorted(foreign))}.")
    batch = prepare(image, size)
    session = onnxruntime.InferenceSession(os.fspath(onnx), providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: batch})[0]
    model = YOLO(weights).model.float().eval()
    with torch.inference_mode():
        wanted = model(torch.from_numpy(batch))
    wanted = (wanted[0] if isinstance(wanted, (list, tuple)) else wanted).numpy()
    try:
        error = largest_error([got], [wanted], len(model.names), unordered(model))
    except ValueError as fault:
        raise ValueError(f"{onnx} must give what PyTorch gives; {fault}.") from fault
    if not error <= TOLERANCE:
        raise ValueError(f"{onnx} must agree with PyTorch to {TOLERANCE:.0e}; its output is {error:.1e} off.")
    return error


def operators(onnx: str | os.PathLike[str]) -> set[str]:
    """Names of all operators in an ONNX file, sub-graphs and functions included; `domain::name` outside ONNX's own."""
    import onnx as library

    model = library.load(os.fspath(onnx), load_external_data=False)
    found: set[str] = set()
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        found.add(node.op_type if node.domain in {"", "ai.onnx"} else f"{node.domain}::{node.op_type}")
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting.extend(graph.node)
    return found


def prepare(image: str | os.PathLike[str], size: int) -> NDArray[np.float32]:
    """A picture as Ultralytics hands it to a model: padded to a square, RGB, 0 to 1, (1, 3, size, size)."""
    picture = cv2.imread(os.fspath(image))
    if picture is None:
        raise FileNotFoundError(f"A picture is needed; {image} cannot be read as one.")
    square = LetterBox((size, size))(image=picture)
    planes = square[None, ..., ::-1].transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255)
