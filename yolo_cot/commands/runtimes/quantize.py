"""Integers by onnxruntime's own recipe: symbolic shapes first, then QDQ with weights per channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..quickstart.onnx_check import prepare


def quantize(file: Path, pictures: Sequence[Path], imgsz: int, out: Path, dynamic: bool = False) -> Path:
    """Write an ONNX file of float32 as one of integers.

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
        quantize_static(str(prepared), str(out), Pictures(), per_channel=True)
    finally:
        prepared.unlink(missing_ok=True)
    return out
