"""Ablation folders for the tests: real ones of tiny models, and ones whose results are written down, not trained."""

from __future__ import annotations

from pathlib import Path

from tests.entry_points import tiny
from yolo_cot.commands.ablate.controls.model import model_of
from yolo_cot.commands.ablate.plan import Plan, Run
from yolo_cot.commands.ablate.prepare import prepare
from yolo_cot.whole_file import write_json
from yolo_cot.yaml_edit.files import find_model

PLAIN = tiny.MODEL.replace("C3k2CoT", "C3k2").replace("[2, 5]", "[2, 3]")
PLAIN = "\n".join(line for line in PLAIN.split("\n") if "Attention" not in line)
QUICK = {"epochs": 1, "imgsz": 64, "batch": 4, "workers": 0, "amp": False, "any_budget": True}


def inputs(folder: Path) -> dict[str, object]:
    """Write the data set and the tiny models; returns the arguments that name them, the plain model first."""
    data = tiny.data(folder / "d")
    tiny.model(folder)
    (folder / "yolo11-plain.yaml").write_text(PLAIN)
    return {"models": f"{folder / 'yolo11n-plain.yaml'},{folder / 'yolo11n-tiny.yaml'}", "data": str(data), **QUICK}


def words(given: dict[str, object]) -> list[str]:
    """Arguments as a command line has them."""
    return [f"{name}={value}" for name, value in given.items()]


def models(*names: str) -> list:
    """Shipped models."""
    return [model_of(name, find_model(name)[0].read_text(encoding="utf-8")) for name in names]


def entries(found: list) -> list:
    """Models as `prepare` takes them."""
    return [(model.entry, model.text) for model in found]


def pretended(folder: Path, results: dict[str, list[float | None]], controls: tuple = (), **settings) -> Plan:
    """A folder of finished runs with these mAP50-95 by shipped model, one for each seed; None for a missing run.

    Args:
        folder: the folder.
        results: by model, the base first.
        controls: further models, whose results are also in `results`.
        settings: train arguments.
    """
    found = [*models(*(name for name in results if name not in {c.label for c in controls})), *controls]
    asked = Plan(folder, {"data": "set.yaml", "epochs": 3, **settings}, seeds=max(map(len, results.values())))
    plan = prepare(asked, entries(found))
    for label, values in results.items():
        for seed, value in enumerate(values):
            if value is not None:
                finish(Run(plan, label, seed), value)
    return plan


def finish(run: Run, value: float, best: dict | None = None, **more) -> None:
    """Write a result; `best` and `more` replace what is usual."""
    run.folder.mkdir(parents=True, exist_ok=True)
    measured = {"map": value, "map50": value + 0.2, "precision": 0.8, "recall": 0.7}
    content = {
        "label": run.label,
        "seed": run.seed,
        "best": {**measured, "epoch": 2, "classes": {"disc": value + 0.1, "<b>": value - 0.1}, **(best or {})},
        "last": {**measured, "map": value - 0.01, "epoch": 3},
        "parameters": 2_600_000,
        "gflops": 6.5,
        "seconds": 60.0,
        "data_order": f"order {run.seed}",
        "optimizer": "AdamW",
        "steps": 780,
        "curve": [value * (1 - 0.5**epoch) for epoch in range(1, 41)],
        "gates": {},
        "device": "cpu",
        "versions": {"python": "3.11", "torch": "2.0", "ultralytics": "8.4.0", "yolo-cot": "0.1.0"},
    }
    write_json(run.folder / "result.json", {**content, **more})
