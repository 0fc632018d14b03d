"""Whole models against a plain one, in each runtime that is asked for."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml
from torch import nn
from ultralytics.utils import ASSETS, LOGGER

from ...plugin.build import build
from ...plugin.checkpoint import save_full
from ...yaml_edit.base import find_base
from ...yaml_edit.files import find_model
from ...yaml_edit.reading import read_model
from ..output import announce
from ..runtimes.compare import largest_error, unordered
from ..runtimes.export import export_into
from ..runtimes.formats import missing, obstacle, runs_here
from ..runtimes.load import Runner, load
from ..timing import ratio, samples
from ..verify.pictures import batch, pictures
from ..verify.sight import awaken
from .onnx import TOLERANCE, ParityError

# Runtime -> format and precision as the exporter calls them. PyTorch takes the fused model itself.
RUNTIMES = {
    "torch": ("", "32"),
    "onnxruntime": ("onnx", "32"),
    "openvino": ("openvino", "32"),
    "openvino-int8": ("openvino", "8"),
    "ncnn": ("ncnn", "32"),
    "mnn": ("mnn", "32"),
    "litert": ("litert", "32"),
}


@dataclass(frozen=True)
class ModelRow:
    """One model's median time in seconds, and its time in times of the first model's: median and quartiles."""

    model: str
    runtime: str
    seconds: float
    ratio: float
    ratio_low: float
    ratio_high: float

    @property
    def unsteady(self) -> bool:
        """Whether the quartiles are more than a tenth apart."""
        return self.ratio_high - self.ratio_low > 0.1 * self.ratio


def measure_models(names: Sequence[str], imgsz: int, rounds: int, runtimes: Sequence[str]) -> list[ModelRow]:
    """Time fused models on one image, interleaved; the first is what the others are compared with.

    A runtime that is not installed is told and left out.

    Raises:
        ParityError: a runtime's output differs from PyTorch's.
        ValueError: no runtime that was asked for is there.
        FileNotFoundError: no such YAML.
    """
    left = [runtime for runtime in runtimes if _there(runtime)]
    if not left:
        raise ValueError(f"yolo-cot bench found none of the runtimes {', '.join(runtimes)}; see the reasons above.")
    _, shots = pictures(None, imgsz)
    x = torch.from_numpy(shots[:1])
    models = {name: fresh(name, batch(shots)) for name in names}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for runtime in announce(left, "runtime", len(left)):
            runs = {name: _runner(name, model, runtime, x, Path(folder)) for name, model in models.items()}
            with torch.no_grad():
                times = samples(runs, rounds, progress=True)
            first = times[names[0]]
            rows += [ModelRow(n, runtime, median(times[n]), *ratio(times[n], first)) for n in names]
    return rows


def plain_of(name: str) -> str:
    """The YAML of the plain model that a model was made from, at its scale; plain yolo11n where there is none.

    Raises:
        FileNotFoundError: no such YAML.
    """
    path, scale = find_model(name)
    base = find_base(read_model(path))
    return f"{base.name(scale)}.yaml" if base else "yolo11n.yaml"


def _there(runtime: str) -> bool:
    form, precision = RUNTIMES[runtime]
    reason = (obstacle(form) or runs_here(form)) if form else ""
    if not reason and precision == "8":
        reason = "not installed: nncf; pip install nncf." if missing(("nncf",)) else ""
    if reason:
        LOGGER.warning(f"{runtime} is left out, {reason}")
    return not reason


def _runner(name: str, model: nn.Module, runtime: str, x: torch.Tensor, folder: Path) -> Callable[[], object]:
    """The function that runs a model in a runtime on one image, once it is seen to compute what PyTorch computes."""
    form, precision = RUNTIMES[runtime]
    deployed = exportable(model).fuse(verbose=False)
    if not form:
        return partial(deployed, x)
    weights = folder / f"{Path(name).stem}.pt"
    save_full(model, weights, "detect")
    settings: dict[str, Any] = {"precision": precision, "data": _calibration(folder) if precision == "8" else None}
    file = export_into(folder / runtime / weights.stem, weights, form, x.shape[-1], **settings)
    run: Runner = load(form, file, torch.get_num_threads(), precision)
    picture = x.numpy()
    if precision == "32":
        with torch.no_grad():
            wanted = deployed(x)
            # A segmenter gives its detections first, then the prototypes of the masks.
            wanted = wanted[0] if isinstance(wanted, (list, tuple)) else wanted
            about = len(deployed.names), unordered(deployed)
            try:
                gap = largest_error([run(picture)[0]], [wanted.numpy()], *about)
            except ValueError as fault:
                raise ParityError(f"{name} at {tuple(x.shape)}: {runtime} differs from PyTorch; {fault}.") from fault
        if not gap < TOLERANCE:
            raise ParityError(f"{name} at {tuple(x.shape)}: {runtime} differs from PyTorch by {gap:.1e}.")
    return partial(run, picture)


def _calibration(folder: Path) -> str:
    """A data YAML of the pictures that come with Ultralytics: enough for a time, not for an accuracy."""
    images = folder / "calibration" / "images"
    images.mkdir(parents=True, exist_ok=True)
    for picture in ASSETS.glob("*.jpg"):
        shutil.copy(picture, images)
    file = folder / "calibration" / "data.yaml"
    file.write_text(yaml.safe_dump({"path": str(images.parent), "train": "images", "val": "images", "names": ["a"]}))
    return str(file)


def fresh(name: str, shots: torch.Tensor) -> nn.Module:
    """The model of a YAML with fresh weights, made live by some pictures.

    Gates are open: what is multiplied by 0 some converters leave out, and no comparison of outputs would see it.
    """
    torch.manual_seed(0)
    path, scale = find_model(name)
    model = build(yaml.safe_load(path.read_text(encoding="utf-8")), scale, str(path))
    return awaken(model, shots)


def exportable(model: nn.Module) -> Any:
    """A copy whose head gives one output tensor as Ultralytics exports it."""
    copied: Any = copy.deepcopy(model)
    head = copied.model[-1]
    head.export, head.format = True, "onnx"
    return copied
