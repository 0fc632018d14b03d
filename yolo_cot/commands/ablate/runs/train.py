"""One run, in a process of its own: `python -m yolo_cot.commands.ablate.runs.train runs/.../run.json`."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
import ultralytics
from ultralytics import YOLO
from ultralytics.utils.torch_utils import get_flops, get_num_params

import yolo_cot

from ....plugin.datasets import dataset_files
from ....plugin.naming import opened
from ....whole_file import read_json, write_json
from ...timing import device_name
from ..inputs import changes, digests
from ..tasks import METRICS
from .measure import history, measure
from .recorder import Recorder, same_start, seed_everything
from .widen import fitted


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
        ValueError: a training that did not keep its budget, or a metric that is no number.
    """
    start = time.monotonic()
    seed_everything(seed)
    yolo = opened(model)
    if widened and isinstance(settings.get("pretrained"), (str, Path)):
        settings = {**settings, "pretrained": fitted(model, settings["pretrained"], folder / "start.pt")}
    yolo.add_callback("on_train_start", lambda trainer: same_start(trainer, seed))
    recorder = type("Trainer", (Recorder, yolo.task_map[yolo.task]["trainer"]), {})
    place = {"project": str(folder.parent), "name": folder.name, "exist_ok": True, "save": True}
    yolo.train(trainer=recorder, **settings, **place, seed=seed)
    (folder / "start.pt").unlink(missing_ok=True)
    trainer = yolo.trainer
    check_budget(trainer, settings)
    trained = YOLO(trainer.best).model
    best = measure(trainer.best, trainer.args, split, folder, "best")
    last = measure(trainer.last, trainer.args, split, folder, "last")
    return {
        "best": {**best, "epoch": int(trainer.stopper.best_epoch)},
        "last": {**last, "epoch": int(trainer.epoch) + 1},
        "parameters": int(get_num_params(trained)),
        "gflops": round(float(get_flops(trained, trainer.args.imgsz)), 4),
        "seconds": round(time.monotonic() - start, 1),
        "data_order": trainer.digest.hexdigest(),
        "optimizer": type(trainer.optimizer).__name__,
        "steps": trainer.steps,
        **history(folder, next(iter(METRICS[yolo.task].values())).key),
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


def check_inputs(run: dict[str, Any]) -> None:
    """Refuse to make a run whose data set or weights are not those of the ablation.

    Raises:
        ValueError: they are not.
    """
    files = dataset_files(run["settings"], sorted({"train", "val", run["split"]}), run["task"])
    if changed := changes(run["inputs"], digests(files, run["settings"])):
        raise ValueError(
            f"{'; '.join(changed)} since this ablation began, so this run could not be compared with the others. "
            "Put back what it was, or use another project=."
        )


def end_with_parent() -> None:
    """End this process when its standard input closes, as it does when the process that started it is gone."""

    def wait() -> None:
        # Not through sys.stdin, whose buffer this thread would hold locked when the interpreter ends.
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(file: str) -> None:
    """Train the run that the JSON file describes and leave `result.json` beside it."""
    run = read_json(Path(file))
    folder = Path(file).resolve().parent
    check_inputs(run)
    result = train(run["model"], run["seed"], run["settings"], folder, run["split"], run["widened"])
    check_inputs(run)  # they may have changed while it was under way
    write_json(folder / "result.json", {"label": run["label"], "seed": run["seed"], **result})


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1])
