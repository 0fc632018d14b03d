"""What the scripts of this folder share: one training in this process, and a table with a row a training.

A table is a CSV file. A training whose row is there is not made again, so a script that was stopped goes on where it
was, and two that are started with `part=0/2` and `part=1/2` share the work and write tables of their own.
"""

from __future__ import annotations

import csv
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO

from yolo_cot.yaml_edit.files import find_model

Rows = list[dict[str, str]]
LOSSES = ("val/box_loss", "val/cls_loss", "val/dfl_loss")


def arguments() -> dict[str, str]:
    """The words of the command line, as key=value."""
    return dict(word.split("=", 1) for word in sys.argv[1:])


def text_of(name: str) -> str:
    """The text of one of the package's model YAMLs, or of a stock one."""
    return find_model(name)[0].read_text(encoding="utf-8")


def train(model: Path, seed: int, settings: dict[str, Any], on_start: Callable[[Any], None] | None = None) -> Any:
    """Train on one thread; every model of a seed sees the same pictures in the same order.

    Args:
        model: a model YAML.
        seed: of the weights that start at random and of the data.
        settings: Ultralytics' train arguments.
        on_start: called with the trainer before the first step.

    Returns:
        Ultralytics' trainer; its folder holds `results.csv` and, for a model with gates, `gates.csv`.
    """
    torch.set_num_threads(1)
    # A model without gates writes no gates.csv, so one of another training must not lie there.
    shutil.rmtree(Path(settings["project"]) / settings["name"], ignore_errors=True)
    torch.manual_seed(seed)
    yolo = YOLO(model)
    if on_start:
        yolo.add_callback("on_train_start", on_start)
    yolo.add_callback("on_train_start", lambda _: torch.manual_seed(seed))
    always = {"device": "cpu", "workers": 0, "plots": False, "amp": False, "cache": "ram", "verbose": False}
    yolo.train(**always, **settings, seed=seed, exist_ok=True)
    shutil.rmtree(Path(yolo.trainer.save_dir) / "weights")
    return yolo.trainer


def curves(folder: Path) -> Rows:
    """Every epoch of a training: what Ultralytics wrote into `results.csv`, and mean |gamma| of every gate, by row."""
    gates = {row["epoch"]: row for row in read(folder / "gates.csv")}
    found = []
    for row in read(folder / "results.csv"):
        opened = [value for key, value in gates.get(row["epoch"], {}).items() if key.endswith("/abs")]
        found.append({**row, **{f"gate{i}": value for i, value in enumerate(opened, 1)}})
    return found


def outcome(epochs: Rows) -> dict[str, float]:
    """Val loss and mAP of the last epoch, and mean |gamma| of every gate then."""
    last = epochs[-1]
    found = {"val_loss": sum(float(last[key]) for key in LOSSES), "map": float(last["metrics/mAP50-95(B)"])}
    return {**found, **{key: float(value) for key, value in last.items() if key.startswith("gate")}}


def table(
    file: Path, keys: Sequence[str], jobs: Sequence[tuple], make: Callable[..., tuple[dict[str, float], Rows]]
) -> None:
    """Make the trainings whose rows are not in the table, in order, and append a row for each.

    Args:
        file: the table; the epochs of all its trainings go into another, `<name>-curves.csv`.
        keys: columns that name a training.
        jobs: for every training the values of `keys`.
        make: makes one, called with those values; returns the other columns, and its epochs.
    """
    for job in jobs:
        names = dict(zip(keys, map(str, job)))
        if any(all(row[key] == value for key, value in names.items()) for row in read(file)):
            continue
        start = time.process_time()
        values, epochs = make(*job)
        written = {key: f"{value:.6g}" for key, value in values.items()}
        seconds = {"cpu_seconds": f"{time.process_time() - start:.0f}"}
        add(file.with_name(f"{file.stem}-curves.csv"), [{**names, **epoch} for epoch in epochs])
        add(file, [{**names, **written, **seconds}])


def add(file: Path, rows: Rows) -> None:
    """Append rows to a table, which may bring new columns; the file is there whole or as it was."""
    every = [*read(file), *rows]
    if not every:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".part").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(dict.fromkeys(key for row in every for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(every)
    file.with_suffix(".part").replace(file)


def read(*files: Path) -> Rows:
    """The rows of tables that are there."""
    found: Rows = []
    for file in files:
        if file.is_file():
            with file.open(encoding="utf-8", newline="") as lines:
                found += [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(lines)]
    return found


def share(jobs: Sequence[tuple], part: str) -> list[tuple]:
    """Every n-th of the trainings: "0/2" the first, third, ..., "1/2" the others."""
    first, step = map(int, part.split("/"))
    return list(jobs[first::step])
