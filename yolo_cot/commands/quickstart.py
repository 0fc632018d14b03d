"""The whole way in one call: train, validate, draw detections, export to ONNX and check the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ultralytics import YOLO
from ultralytics.utils import LOGGER

from yolo_cot.commands.contact_sheet import draw_detections
from yolo_cot.commands.onnx_check import compare
from yolo_cot.paths import data_dir

MODEL = "yolo11n-cot.yaml"
DATA = "shapes.yaml"

# What learns the embedded set from scratch in a few minutes on two CPU cores: small pictures, an optimiser step for
# every eight of them, and no augmentation that makes them harder than they are. The best epoch is chosen on
# `val`, so the result is measured on `test`.
RECIPE: Mapping[str, Any] = {
    "epochs": 8,
    "imgsz": 128,
    "batch": 8,
    "nbs": 8,
    "optimizer": "AdamW",
    "lr0": 0.004,
    "momentum": 0.9,
    "warmup_epochs": 0.5,
    "cls": 1.0,
    "mosaic": 0.0,
    "scale": 0.2,
    "hsv_h": 0.0,
    "hsv_s": 0.0,
    "hsv_v": 0.0,
    "amp": False,
    "workers": 0,
    "split": "test",
}


@dataclass
class Outcome:
    """What came out.

    Attributes:
        weights: the best checkpoint.
        picture: detections on pictures of the split.
        split: the split that `map50` and `map` were measured on.
        images: how many pictures it holds.
        map50: mean average precision at IoU 0.5.
        map: mean average precision over IoU 0.5 to 0.95.
        onnx: where the exported file is, or would be.
        error: largest difference of the ONNX file's output to PyTorch's; see `onnx_check.compare`.
        problem: why there is no good ONNX file; empty if there is one.
    """

    weights: Path
    picture: Path
    split: str
    images: int
    map50: float
    map: float
    onnx: Path
    error: float
    problem: str

    def __str__(self) -> str:
        """Where everything is, in four lines."""
        good = f"{self.onnx} (standard operators only, within {self.error:.1e} of PyTorch)"
        return (
            f"Weights   {self.weights}\n"
            f"Accuracy  mAP50 {self.map50:.3f}, mAP50-95 {self.map:.3f} on {self.images} pictures ({self.split})\n"
            f"Picture   {self.picture}\n"
            f"ONNX      {self.problem or good}"
        )


def arguments(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Complete what the user gave: our model and data set by default, and for our data set the recipe that suits it.

    Any other data set is trained with Ultralytics' own defaults.

    Raises:
        ValueError: saving is switched off, so that nothing could be validated or exported.
    """
    given = {"model": MODEL, "data": DATA, **overrides}
    if given.get("save") is False:
        raise ValueError("The checkpoint is needed for validation and export; got save=False. Leave save out.")
    ours = data_dir() / DATA
    data = Path(str(given["data"]))
    embedded = data == Path(DATA) if not data.exists() else data.resolve() == ours.resolve()
    return {**(RECIPE if embedded else {}), **given}


def run(overrides: Mapping[str, Any]) -> Outcome:
    """Train, validate, draw detections, export to ONNX and check the file.

    Everything is written to the run's own folder. An export that fails is told in the outcome, so that what was trained
    is not lost sight of.

    Args:
        overrides: `model`, `data`, `split` to validate on, and any train argument of Ultralytics.

    Raises:
        ValueError: a model that is no detector.
    """
    settings = arguments(overrides)
    split = settings.pop("split", None) or "val"
    missing = [name for name in ("onnx", "onnxruntime", "onnxslim") if find_spec(name) is None]
    if missing:
        LOGGER.warning(f"{', '.join(missing)} not installed: training goes ahead, the export to ONNX is left out.")
    model = YOLO(settings.pop("model"))
    if model.task != "detect":
        raise ValueError(
            f"train_det.py trains detectors; got a model for the task '{model.task}'. "
            f"Use  yolo-cot {model.task} train  for it."
        )
    model.train(**settings)
    trainer = model.trainer
    folder, size, device = Path(trainer.save_dir), trainer.args.imgsz, trainer.device

    weights = Path(trainer.best if trainer.best.exists() else trainer.last)
    best = YOLO(weights)
    files: list[str] = []
    best.add_callback("on_val_end", lambda validator: files.extend(validator.dataloader.dataset.im_files))
    same = ("data", "imgsz", "workers", "plots", "single_cls", "classes")
    like_training = {name: getattr(trainer.args, name) for name in same}
    metrics = best.val(
        **like_training, split=split, batch=trainer.batch_size, device=device, project=str(folder), name=split
    )
    picture = draw_detections(best, files[:12], folder / "detections.jpg", imgsz=size, device=device)

    onnx, error, problem = weights.with_suffix(".onnx"), float("nan"), ""
    if missing:
        problem = (
            f'not written, for {", ".join(missing)} is not installed. Run  pip install "yolo-cot[export]"  and then'
            f"  yolo-cot export model={weights} format=onnx imgsz={size}"
        )
    else:
        # Whatever an exporter raises: the minutes or days of training before it are worth more than its traceback.
        try:
            YOLO(weights).export(format="onnx", imgsz=size, device="cpu")
            error = compare(onnx, weights, files[0], size)
        except Exception as failure:
            problem = f"failed: {type(failure).__name__}: {failure}"
    map50, mean = float(metrics.box.map50), float(metrics.box.map)
    return Outcome(weights, picture, str(split), len(files), map50, mean, onnx, error, problem)
