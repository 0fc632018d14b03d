"""The control for time: the base widened until it takes as long as the model in onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ...timing import interleaved
from ..latency import exported, forward
from .model import Model, dump
from .widened import nearest

ROUNDS = 30


def equal_latency(base: Model, model: Model, classes: int | None, size: int) -> Model:
    """The base at the width whose time for one picture on this machine's processor comes nearest to the model's.

    Args:
        base: the base.
        model: the model.
        classes: classes of the data set; None takes each YAML's own number.
        size: side of the picture.

    Returns:
        The base itself where no width comes nearer to the model's time; that is printed.

    Raises:
        ImportError: onnxruntime or what exports for it is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ImportError("equal_latency=True needs: pip install 'yolo-cot[export]'.") from error
    with TemporaryDirectory(prefix="yolo-cot-") as folder:
        times: dict[str, float] = {}

        def runner(one: Model):
            file = Path(folder) / f"{one.label}.yaml"
            values = one.values if classes is None else {**one.values, "nc": classes}
            file.write_text(dump(values, ""), encoding="utf-8")
            return forward(exported(file, "onnx", size), size)

        wanted = runner(model)

        def relative(wider: Model) -> float:
            """Time relative to the model's, taken in turns."""
            seconds = interleaved({"wider": runner(wider), "model": wanted}, ROUNDS)
            times[wider.label] = seconds["wider"] / seconds["model"]
            return times[wider.label]

        found = nearest(base, 1.0, relative)
    if found is base:
        print(f"{model.label}: no wider {base.label} comes nearer to its time in onnxruntime than {base.label} itself.")
    return replace(found, entry=replace(found.entry, same_time=((model.label, times[found.label]),)))
