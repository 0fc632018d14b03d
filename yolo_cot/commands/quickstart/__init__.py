"""The whole way in one call: train, validate, draw detections, export to ONNX and check the file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ultralytics import YOLO
from ultralytics.utils import DEFAULT_CFG_DICT, LOGGER

from ...plugin.naming import opened
from ..arguments import argument, others
from .detections import draw_detections
from .onnx_check import compare
from .recipe import DATA, MODEL, with_recipe

NEEDED_FOR_ONNX = ("onnx", "onnxruntime", "onnxslim")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """python train_det.py model=yolo11n-outlook.yaml epochs=3"""

    model: str = argument("a detector's YAML or checkpoint", MODEL)
    data: str = argument("the data set's YAML", DATA)
    split: str | None = argument("the split to validate on: val, or test of the embedded set, by default", None)
    settings: dict[str, Any] = others("any train argument of Ultralytics", known=DEFAULT_CFG_DICT)


@dataclass
class Outcome:
    """What came out.

    Attributes:
        weights: the best checkpoint.
        picture: detections on pictures of the split.
        seen: one of these pictures.
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
    seen: Path
    split: str
    images: int
    map50: float
    map: float
    onnx: Path
    error: float
    problem: str

    def __str__(self) -> str:
        """Where everything is, and what to look at next."""
        good = f"{self.onnx} (standard operators only, within {self.error:.1e} of PyTorch)"
        return (
            f"Weights   {self.weights}\n"
            f"Accuracy  mAP50 {self.map50:.3f}, mAP50-95 {self.map:.3f} on {self.images} pictures ({self.split})\n"
            f"Picture   {self.picture}\n"
            f"ONNX      {self.problem or good}\n"
            f"Next      yolo-cot attention model={self.weights} source={self.seen}   what the blocks look at\n"
            f"          yolo-cot detect predict model={self.weights} source=...   on pictures of your own\n"
            f"          yolo-cot help   all commands; docs/ has a page for each"
        )


def run(arguments: Arguments) -> Outcome:
    """Train, validate, draw detections, export to ONNX and check the file.

    Everything is written to the run's own folder. An export that fails is told in the outcome, so that what was trained
    is not lost sight of.

    Raises:
        ValueError: a model that is no detector, or saving switched off.
    """
    settings = with_recipe(arguments.data, arguments.settings)
    if settings.get("save") is False:
        raise ValueError("The checkpoint is needed for validation and export; got save=False. Leave save out.")
    split = arguments.split or settings.pop("split", None) or "val"
    missing = [name for name in NEEDED_FOR_ONNX if find_spec(name) is None]
    if missing:
        LOGGER.warning(f"{', '.join(missing)} not installed: training goes ahead, the export to ONNX is left out.")
    model = opened(arguments.model)
    if model.task != "detect":
        raise ValueError(
            f"train_det.py trains detectors; got a model for the task '{model.task}'. "
            f"Use  yolo-cot {model.task} train  for it."
        )
    model.train(data=arguments.data, **settings)
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
    return Outcome(weights, picture, Path(files[0]), split, len(files), map50, mean, onnx, error, problem)
