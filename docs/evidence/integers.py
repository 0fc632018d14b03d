"""What integers cost: float against int8 of the same weights, over five seeds of four models.

    python docs/evidence/integers.py data=bccd.yaml weights=yolo11n.pt out=runs/integers

Each training keeps its checkpoint, and each row of `integers.csv` is one checkpoint in one form: a script that was
stopped goes on where it was. OpenVINO needs `pip install openvino nncf`; `forms=float,onnx` leaves it out. `python
docs/evidence/integers.py table=runs/integers/integers.csv` prints the losses with their 95 % intervals.
"""

from __future__ import annotations

import statistics
from itertools import product
from pathlib import Path

import torch
from scipy.stats import t
from trainings import Rows, arguments, read, table
from ultralytics import YOLO

from yolo_cot.commands.runtimes.export import export_into
from yolo_cot.commands.runtimes.quantize import quantize
from yolo_cot.plugin.datasets import dataset_files

MODELS = ("yolo11n", "yolo11n-cot", "yolo11n-outlook", "yolo11n-cotblock")
FORMS = ("float", "onnx", "openvino")
CALIBRATION = 100  # pictures


def checkpoint(model: str, seed: int, given: dict[str, str], out: Path) -> Path:
    """The best checkpoint of a training, which is made if it is not there."""
    folder = out / f"{model}-{seed}"
    best = folder / "weights" / "best.pt"
    if not (folder / "done").is_file():
        settings = {"epochs": int(given.get("epochs", 60)), "imgsz": int(given.get("imgsz", 320)), "batch": 16}
        place = {"project": str(out.resolve()), "name": folder.name, "exist_ok": True}
        quiet = {"plots": False, "amp": False, "workers": 0, "device": given.get("device", "cpu")}
        pretrained = {"pretrained": given["weights"]} if "weights" in given else {}
        YOLO(f"{model}.yaml").train(data=given["data"], seed=seed, **settings, **place, **quiet, **pretrained)
        (folder / "done").touch()
    return best


def accuracy(file: Path, given: dict[str, str]) -> float:
    """mAP50-95 of a file on the validation pictures."""
    size = int(given.get("imgsz", 320))
    found = YOLO(file, task="detect").val(data=given["data"], imgsz=size, batch=1, workers=0, plots=False, device="cpu")
    return float(found.box.map)


def converted(best: Path, form: str, given: dict[str, str]) -> Path:
    """The file of a form."""
    if form == "float":
        return best
    size, folder = int(given.get("imgsz", 320)), best.parent / form
    if form == "openvino":
        return export_into(folder, best, "openvino", size, precision="8", data=given["data"])
    pictures = dataset_files({"data": given["data"]}, ["train"], "detect").splits["train"][0][:CALIBRATION]
    return quantize(export_into(folder, best, "onnx", size), pictures, size, folder / "integers.onnx")


def main() -> None:
    """Make the rows that are not there, or print the table."""
    given = arguments()
    if "table" in given:
        print("\n".join(lines(read(Path(given["table"])))))
        return
    out = Path(given["out"])
    torch.set_num_threads(1)

    def make(seed: int, model: str, form: str) -> tuple[dict[str, float], Rows]:
        return {"map": accuracy(converted(checkpoint(model, seed, given, out), form, given), given)}, []

    forms = given.get("forms", ",".join(FORMS)).split(",")
    models = given.get("models", ",".join(MODELS)).split(",")
    jobs = list(product(range(int(given.get("seeds", 5))), models, forms))
    table(out / "integers.csv", ("seed", "model", "form"), jobs, make)


def lines(rows: Rows) -> list[str]:
    """A line for each model and form: points of mAP50-95 lost, with the interval over the seeds."""
    found = {(row["model"], row["form"], row["seed"]): 100 * float(row["map"]) for row in rows}
    out = ["| model | form | points lost | 95 % interval |", "|---|---|--:|--:|"]
    for model, form in dict.fromkeys((row["model"], row["form"]) for row in rows if row["form"] != "float"):
        seeds = [seed for m, f, seed in found if (m, f) == (model, form) and (model, "float", seed) in found]
        lost = [found[model, "float", seed] - found[model, form, seed] for seed in seeds]
        half = (
            t.ppf(0.975, len(lost) - 1) * statistics.stdev(lost) / len(lost) ** 0.5 if len(lost) > 1 else float("nan")
        )
        mean = statistics.fmean(lost)
        out.append(f"| {model} | {form} | {mean:.2f} | {mean - half:.2f} to {mean + half:.2f} |")
    return out


if __name__ == "__main__":
    main()
