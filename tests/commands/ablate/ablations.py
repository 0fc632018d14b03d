"""Ablation folders for the tests: real ones of tiny models, and ones whose results are written down, not trained."""

from __future__ import annotations

from pathlib import Path

from tests.entry_points import tiny
from yolo_cot.commands.ablate.controls.model import model_of
from yolo_cot.commands.ablate.files import write_json
from yolo_cot.commands.ablate.plan import Plan, Run
from yolo_cot.commands.ablate.prepare import prepare
from yolo_cot.yaml_edit.files import find_model

PLAIN = tiny.MODEL.replace("C3k2CoT", "C3k2").replace("[2, 5]", "[2, 3]")
PLAIN = "\n".join(line for line in PLAIN.split("\n") if "Attention" not in line)
QUICK = ("epochs=1", "imgsz=64", "batch=4", "workers=0", "amp=False")


def inputs(folder: Path) -> list[str]:
    """Write the data set and the tiny models; returns the words that name them, the plain model first."""
    data = tiny.data(folder / "d")
    tiny.model(folder)
    (folder / "yolo11-plain.yaml").write_text(PLAIN)
    return [f"models={folder / 'yolo11n-plain.yaml'},{folder / 'yolo11n-tiny.yaml'}", f"data={data}", *QUICK]


def models(*names: str) -> list:
    """Shipped models."""
    return [model_of(name, find_model(name)[0].read_text(encoding="utf-8")) for name in names]


def pretended(folder: Path, results: dict[str, list[float | None]], controls: tuple = (), **settings) -> Plan:
    """A folder of finished runs with these mAP50-95 by shipped model, one for each seed; None for a missing run.

    Args:
        folder: the folder.
        results: by model, the base first.
        controls: further models, whose results are also in `results`.
        settings: train arguments.
    """
    found = [*models(*(name for name in results if name not in {c.label for c in controls})), *controls]
    seeds = max(map(len, results.values()))
    plan = prepare(
        folder, [(m.entry, m.text) for m in found], seeds, {"data": "set.yaml", "epochs": 3, **settings}, "val", {}
    )
    for label, values in results.items():
        for seed, value in enumerate(values):
            if value is not None:
                finish(Run(plan, label, seed), value)
    return plan


def finish(run: Run, value: float, classes: dict | None = None, **more) -> None:
    """Write a result."""
    run.folder.mkdir(parents=True, exist_ok=True)
    classes = classes or {
        name: {"map": value + by, "map50": value + 0.2} for name, by in (("disc", 0.1), ("<b>", -0.1))
    }
    best = {"map": value, "map50": value + 0.2, "precision": 0.8, "recall": 0.7, "epoch": 2, "classes": classes}
    last = {**best, "map": value - 0.01, "epoch": 3}
    versions = {"python": "3.11", "torch": "2.0", "ultralytics": "8.4.0", "yolo-cot": "0.1.0"}
    content = {"label": run.label, "seed": run.seed, "best": best, "last": last, "parameters": 2_600_000}
    content |= {"gflops": 6.5, "seconds": 60.0, "train_seconds": 50.0, "data_order": f"order {run.seed}"}
    content |= {"optimizer": "AdamW", "device": "cpu", "versions": versions, **more}
    write_json(run.folder / "result.json", content)
