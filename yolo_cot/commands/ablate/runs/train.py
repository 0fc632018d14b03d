"""One run, in a process of its own: `python -m yolo_cot.commands.ablate.runs.train runs/.../run.json`."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import random
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import ultralytics
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import get_flops, get_num_params

import yolo_cot

from ..files import read_json, write_json
from ..inputs import changes, inputs_of
from .widen import CannotWiden, widen

# What a validation shares with its training; the rest says how to learn.
SHARED = ("data", "imgsz", "batch", "device", "workers", "single_cls", "classes", "iou", "max_det", "augment", "half")


class Recorder(DetectionTrainer):
    """Ultralytics' trainer; it also keeps a digest of the batches: pictures, their order, their pixels and labels."""

    digest: Any = None

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Note the batch, then let Ultralytics take it to the device."""
        if self.digest is None:
            self.digest = hashlib.sha256()
        self.digest.update("\n".join(Path(name).name for name in batch["im_file"]).encode())
        for name, value in sorted(batch.items()):
            if isinstance(value, torch.Tensor):
                self.digest.update(f"\n{name} {zlib.crc32(value.contiguous().numpy().data)}".encode())
        return super().preprocess_batch(batch)


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and PyTorch's generators at `seed`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def same_start(trainer: Any, seed: int) -> None:
    """Start every generator at `seed`, that of the data loader too, which older releases start at a constant."""
    seed_everything(seed)
    trainer.train_loader.generator.manual_seed(seed)
    trainer.train_loader.reset()


def train(
    model: str, seed: int, settings: dict[str, Any], folder: Path, split: str, widened: bool = False
) -> dict[str, Any]:
    """Train one model with one seed, validate its best and its last checkpoint, and return what came out.

    Every generator starts again at `seed` after the model is built, so that the pictures, their order and their
    augmentation are the same for every model, however many random numbers its construction took.

    Args:
        model: the model's YAML.
        seed: the seed.
        settings: Ultralytics' train arguments.
        folder: the run's own folder; Ultralytics writes into it.
        split: the split to validate on.
        widened: whether the model is one that was made wider, to which pretrained weights have to be fitted.

    Raises:
        ValueError: a model that is no detector, a training that did not keep its budget, or a metric that is no number.
    """
    start = time.time()
    seed_everything(seed)
    yolo = YOLO(model)
    if yolo.task != "detect":
        raise ValueError(f"yolo-cot ablate compares detectors; {model} is a model for the task '{yolo.task}'.")
    if widened and isinstance(settings.get("pretrained"), (str, Path)):
        settings = {**settings, "pretrained": fitted(model, settings["pretrained"], folder / "start.pt")}
    yolo.add_callback("on_train_start", lambda trainer: same_start(trainer, seed))
    yolo.train(
        trainer=Recorder, **settings, seed=seed, project=str(folder.parent), name=folder.name, exist_ok=True, save=True
    )
    (folder / "start.pt").unlink(missing_ok=True)
    trainer = yolo.trainer
    trained = time.time() - start
    check_budget(trainer, settings)
    found: dict[str, Any] = {}
    shared = {key: getattr(trainer.args, key) for key in SHARED if hasattr(trainer.args, key)}
    for which, weights in (("best", trainer.best), ("last", trainer.last)):
        tested = YOLO(weights)
        if which == "best":
            parameters, gflops = get_num_params(tested.model), float(get_flops(tested.model, trainer.args.imgsz))
        metrics = tested.val(**shared, split=split, plots=False, project=str(folder), name=which, exist_ok=True)
        found[which] = {"map": float(metrics.box.map), "map50": float(metrics.box.map50), **rates(metrics.box)}
        check_numbers(f"the {which} epoch", found[which])
        found[which]["classes"] = per_class(metrics)
    found["best"]["epoch"] = int(trainer.stopper.best_epoch)
    found["last"]["epoch"] = int(trainer.epoch) + 1
    return {
        **found,
        "parameters": int(parameters),
        "gflops": round(gflops, 4),
        "seconds": round(time.time() - start, 1),
        "train_seconds": round(trained, 1),
        "data_order": trainer.digest.hexdigest(),
        "optimizer": type(trainer.optimizer).__name__,
        "device": device_name(trainer.device),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "ultralytics": ultralytics.__version__,
            "yolo-cot": yolo_cot.__version__,
        },
    }


def check_budget(trainer: Any, settings: dict[str, Any]) -> None:
    """Refuse a run whose batch or epochs are not those that all runs are given.

    Raises:
        ValueError: they are not.
    """
    epochs, batch = int(trainer.epoch) + 1, int(trainer.args.batch)
    if batch != int(settings.get("batch", batch)) or epochs != int(settings.get("epochs", epochs)):
        raise ValueError(
            f"this run was trained for {epochs} epochs with batch {batch}, not as it was told; Ultralytics halves the "
            "batch where memory runs out. Use a smaller batch= for all models."
        )


def check_numbers(what: str, metrics: dict[str, float]) -> None:
    """Refuse metrics that are no numbers.

    Raises:
        ValueError: one is not.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} of {what} is {value}: the training has come to nothing. Try a lower lr0=.")


def fitted(model: str, weights: str | Path, file: Path) -> str:
    """Write weights for a model that was made wider; returns their file, the given one where they cannot be fitted."""
    narrow = YOLO(weights).model.float()
    wide = DetectionModel(model, nc=narrow.yaml["nc"], verbose=False)
    try:
        widen(narrow, wide)
    except CannotWiden as error:
        print(f"The pretrained weights could not be widened: {error}")
        return str(weights)
    torch.save({"model": wide, "train_args": {}}, file)
    return str(file)


def rates(box: Any) -> dict[str, float]:
    """Mean precision and recall at the confidence of the best F1 score."""
    return {"precision": float(box.mp), "recall": float(box.mr)}


def per_class(metrics: Any) -> dict[str, dict[str, float]]:
    """AP of every class that the split holds, by its name."""
    box = metrics.box
    return {
        str(metrics.names[int(c)]): {"map": float(box.ap[i]), "map50": float(box.ap50[i])}
        for i, c in enumerate(box.ap_class_index)
    }


def device_name(device: torch.device) -> str:
    """Name of the GPU, or of the processor's family."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} {device.type}"


def end_with_parent() -> None:
    """End this process when its standard input closes, as it does when the process that started it is gone."""

    def wait() -> None:
        # Not through sys.stdin, whose buffer this thread would hold locked when the interpreter ends.
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def check_inputs(run: dict[str, Any]) -> None:
    """Refuse to make a run whose data set or weights are not those of the ablation.

    Raises:
        ValueError: they are not.
    """
    if changed := changes(run["inputs"], inputs_of(run["settings"], run["split"])):
        raise ValueError(
            f"{'; '.join(changed)} since this ablation began, so this run could not be compared with the others. "
            "Put back what it was, or use another project=."
        )


def main(file: str) -> None:
    """Train the run that the JSON file describes and leave `result.json` beside it."""
    run = read_json(Path(file))
    folder = Path(file).resolve().parent
    check_inputs(run)
    result = train(run["model"], run["seed"], run["settings"], folder, run["split"], run.get("widened", False))
    check_inputs(run)  # they may have changed while it was under way
    write_json(folder / "result.json", {"label": run["label"], "seed": run["seed"], **result})


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1])
