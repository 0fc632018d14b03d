"""Integers by onnxruntime's own recipe: symbolic shapes first, then QDQ with weights per channel, decoding left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..quickstart.onnx_check import prepare

if TYPE_CHECKING:
    from onnx import ModelProto


def quantize(file: Path, pictures: Sequence[Path], imgsz: int, out: Path, dynamic: bool = False) -> Path:
    """Write an ONNX file of float32 as one of integers.

    What comes after the last layers with weights, the decoding of boxes and scores, stays in float32. Boxes in pixels
    and scores below 1 end in one tensor: 255 steps over all of it are coarser than any score.

    Args:
        file: what Ultralytics exported.
        pictures: files of the training set, which calibrate the activations.
        imgsz: side of the picture that the file takes.
        out: the file to write.
        dynamic: whether the file takes other sizes, for which onnxruntime's shape inference is left out: it knows no
            shapes there, of stock models as well.

    Returns:
        `out`.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(pictures)

        def get_next(self) -> dict | None:
            picture = next(self.left, None)
            return None if picture is None else {"images": prepare(picture, imgsz)}

    prepared = out.with_name(f"{out.stem}-prepared.onnx")
    try:
        quant_pre_process(str(file), str(prepared), skip_symbolic_shape=dynamic)
        decoding = after_weights(onnx.load(prepared))
        quantize_static(str(prepared), str(out), Pictures(), per_channel=True, nodes_to_exclude=decoding)
    finally:
        prepared.unlink(missing_ok=True)
    return out


def after_weights(model: ModelProto) -> list[str]:
    """Names of the nodes between the last layers with weights and the outputs.

    A convolution without bias is not such a layer: in an exported detector it is the expectation over the bins of a
    box's sides (distribution focal loss, arXiv 2006.04388, eq. 5), all others have taken in their batch norm.
    """
    fixed = {tensor.name for tensor in model.graph.initializer}
    maker = {name: node for node in model.graph.node for name in node.output}
    todo, found = [output.name for output in model.graph.output], set()
    while todo:
        node = maker.get(todo.pop())
        if node is None or node.name in found:
            continue
        biased = node.op_type in ("Conv", "ConvTranspose") and len(node.input) > 2
        if not biased and not (node.op_type in ("Gemm", "MatMul") and fixed & set(node.input)):
            found.add(node.name)
            todo += node.input
    return sorted(found)
