"""Whole models against a plain one, in PyTorch and in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from ultralytics.nn.tasks import DetectionModel

from ..timing import interleaved, relative_difference
from .blocks import ParityError, onnx_runner


@dataclass(frozen=True)
class ModelRow:
    """One model's median time in seconds, and its ratio to the first model's."""

    model: str
    runtime: str
    seconds: float
    ratio: float


def measure_models(models: list[str], imgsz: int, rounds: int, runtimes: tuple[str, ...]) -> list[ModelRow]:
    """Time fused models on one image, interleaved; the first is what the others are compared with.

    Raises:
        ParityError: onnxruntime's output differs from PyTorch's.
    """
    x = torch.rand(1, 3, imgsz, imgsz)
    built = {}
    for name in models:
        torch.manual_seed(0)
        model = DetectionModel(name, verbose=False).eval()
        head = model.model[-1]
        head.export, head.format = True, "onnx"  # one output tensor, as Ultralytics exports it
        built[name] = model.fuse(verbose=False)
    rows = []
    for runtime in runtimes:
        functions: dict[str, Callable[[], object]] = {}
        for name, model in built.items():
            if runtime == "onnxruntime":
                run = onnx_runner(model, x)
                with torch.no_grad():
                    gap = relative_difference(torch.from_numpy(run()[0]), model(x))
                if not gap < 1e-3:
                    raise ParityError(f"{name}: onnxruntime differs from PyTorch by {gap:.1e}.")
                functions[name] = run
            else:
                functions[name] = partial(model, x)
        with torch.no_grad():
            times = interleaved(functions, rounds)
        rows += [ModelRow(name, runtime, times[name], times[name] / times[models[0]]) for name in models]
    return rows
