"""Whole models against a plain one, in PyTorch and in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import yaml
from torch import nn

from ...plugin.build import build
from ...yaml_edit.files import find_model
from ..timing import interleaved
from .onnx import onnx_runner


@dataclass(frozen=True)
class ModelRow:
    """One model's median time in seconds, and its ratio to the first model's."""

    model: str
    runtime: str
    seconds: float
    ratio: float


def measure_models(names: Sequence[str], imgsz: int, rounds: int, runtimes: Sequence[str]) -> list[ModelRow]:
    """Time fused models on one image, interleaved; the first is what the others are compared with.

    Raises:
        ParityError: onnxruntime's output differs from PyTorch's.
        FileNotFoundError: no such YAML.
    """
    x = torch.rand(1, 3, imgsz, imgsz)
    models = {name: deployed(name) for name in names}
    rows = []
    for runtime in runtimes:
        runs: dict[str, Callable[[], object]] = {name: partial(model, x) for name, model in models.items()}
        if runtime == "onnxruntime":
            runs = {name: onnx_runner(name, model, x) for name, model in models.items()}
        with torch.no_grad():
            times = interleaved(runs, rounds, progress=True)
        rows += [ModelRow(name, runtime, times[name], times[name] / times[names[0]]) for name in names]
    return rows


def deployed(name: str) -> nn.Module:
    """The fused model of a YAML, its head giving one output tensor as Ultralytics exports it."""
    torch.manual_seed(0)
    path, scale = find_model(name)
    model = build(yaml.safe_load(path.read_text(encoding="utf-8")), scale, str(path)).eval()
    head: Any = model.model[-1]  # type: ignore[index]
    head.export, head.format = True, "onnx"
    return model.fuse(verbose=False)  # type: ignore[operator]
