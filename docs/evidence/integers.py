"""What integers cost: float against int8 of the same weights, over five seeds of four models.

    python docs/evidence/integers.py data=bccd.yaml weights=yolo11n.pt out=runs/integers part=0/1
    python docs/evidence/integers.py tables=runs/integers

Each training keeps its checkpoint, and each row of `integers-0.csv` is one checkpoint in one form: a script that was
stopped goes on where it was. OpenVINO needs `pip install openvino nncf`; `forms=float,onnx` leaves it out. The second
line prints what is lost, and what more than by the plain model, with 95 % intervals.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import torch
from gate_tables import interval
from trainings import Rows, arguments, read, share, table
from ultralytics import YOLO

from yolo_cot.commands.runtimes.export import export_into
from yolo_cot.commands.runtimes.quantize import quantize
from yolo_cot.plugin.datasets import dataset_files

MODELS = ("yolo11n", "yolo11n-cot", "yolo11n-outlook", "yolo11n-cotblock")
RUNTIMES = {"onnx": "onnxruntime", "openvino": "OpenVINO"}
FORMS = ("float", *RUNTIMES)
CALIBRATION = 100  # pictures
EPOCHS, SIDE = 12, 192


def side(given: dict[str, str]) -> int:
    """Side of the pictures."""
    return int(given.get("imgsz", SIDE))


def checkpoint(model: str, seed: int, given: dict[str, str], out: Path) -> Path:
    """The best checkpoint of a training, which is made if it is not there."""
    folder = out / f"{model}-{seed}"
    best = folder / "weights" / "best.pt"
    if not (folder / "done").is_file():
        sizes = {"epochs": int(given.get("epochs", EPOCHS)), "imgsz": side(given), "batch": 8, "nbs": 8}
        place = {"project": str(out.resolve()), "name": folder.name, "exist_ok": True}
        quiet = {"plots": False, "val": False, "amp": False, "workers": 0, "device": given.get("device", "cpu")}
        pretrained = {"pretrained": given["weights"]} if "weights" in given else {}
        YOLO(f"{model}.yaml").train(data=given["data"], seed=seed, **sizes, **place, **quiet, **pretrained)
        (folder / "done").touch()
    return best


def accuracy(file: Path, given: dict[str, str]) -> float:
    """mAP50-95 of a file on the validation pictures."""
    # Square, as an exported file takes them: of a checkpoint Ultralytics would pad less, and measure another value.
    quiet = {"rect": False, "batch": 1, "workers": 0, "plots": False, "device": "cpu"}
    found = YOLO(file, task="detect").val(data=given["data"], imgsz=side(given), **quiet)
    return float(found.box.map)


def converted(best: Path, form: str, given: dict[str, str]) -> Path:
    """The file of a form."""
    if form == "float":
        return best
    size, folder = side(given), best.parent / form
    if form == "openvino":
        return export_into(folder, best, "openvino", size, precision="8", data=given["data"])
    pictures = dataset_files({"data": given["data"]}, ["train"], "detect").splits["train"][0][:CALIBRATION]
    return quantize(export_into(folder, best, "onnx", size), pictures, size, folder / "integers.onnx")


def main() -> None:
    """Make the rows of this part that are not there, or print the table."""
    given = arguments()
    if "tables" in given:
        print("\n".join(lines(read(*sorted(Path(given["tables"]).glob("integers-?.csv"))))))
        return
    out, part = Path(given["out"]), given.get("part", "0/1")
    torch.set_num_threads(1)

    def make(seed: int, model: str, form: str) -> tuple[dict[str, float], Rows]:
        return {"map": accuracy(converted(checkpoint(model, seed, given, out), form, given), given)}, []

    forms = given.get("forms", ",".join(FORMS)).split(",")
    models = given.get("models", ",".join(MODELS)).split(",")
    # All forms of a checkpoint stay in one part, for they share its training.
    trainings = share(list(product(range(int(given.get("seeds", 5))), models)), part)
    jobs = [(*training, form) for training in trainings for form in forms]
    table(out / f"integers-{part[0]}.csv", ("seed", "model", "form"), jobs, make)


def lines(rows: Rows) -> list[str]:
    """A line for each model and form: points of mAP50-95 lost, and how many more than by the plain model."""
    found = {(row["model"], row["form"], row["seed"]): 100 * float(row["map"]) for row in rows}
    lost = {key: found[key[0], "float", key[2]] - value for key, value in found.items() if key[1] != "float"}
    out = ["| model | runtime | in float32 | lost | lost beyond plain |", "|---|---|--:|--:|--:|"]
    for (form, runtime), model in product(RUNTIMES.items(), MODELS):
        seeds = [key[2] for key in lost if key[:2] == (model, form)]
        pairs = [seed for seed in seeds if model != MODELS[0] and (MODELS[0], form, seed) in lost]
        before = told([found[model, "float", seed] for seed in seeds])
        loss = told([lost[model, form, seed] for seed in seeds])
        more = told([lost[model, form, seed] - lost[MODELS[0], form, seed] for seed in pairs])
        if seeds:
            out.append(f"| {model} | {runtime} | {before} | {loss} | {more}{' |' if more else '|'}")
    return out


def told(values: list[float]) -> str:
    """The mean and Student's 95 % interval; empty where there is nothing."""
    mean, low, high = interval(values)
    return f"{mean:.2f} ({low:.2f} to {high:.2f})" if values else ""


if __name__ == "__main__":
    main()
