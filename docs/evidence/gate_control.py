"""Whether gates open when they are needed: everything is frozen but the inserted blocks and the layer of the classes.

    python docs/evidence/gate_control.py data=bccd.yaml weights=yolo11n.pt out=runs/gates part=0/1

The plan is in plan.md; `gate_tables.py` reads the result.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import yaml
from trainings import Rows, arguments, curves, outcome, share, table, text_of, train

from yolo_cot.plugin.catalog import BLOCKS

# Name -> YAML and what stands in it for CoTAttention.
MODELS = {
    "plain": ("yolo11n.yaml", None),
    "conv": ("yolo11n-cot.yaml", "GatedConv"),
    "cot": ("yolo11n-cot.yaml", None),
    "outlook": ("yolo11n-outlook.yaml", None),
    "cotblock": ("yolo11n-cotblock.yaml", None),
}
SEEDS = range(5)
SETTINGS = {"imgsz": 128, "batch": 8, "nbs": 8, "epochs": 15, "val": False}


def frozen(text: str) -> list[int | str]:
    """Everything but the rows of ours and, in the head, the last convolution of each branch for the classes."""
    values: dict[str, Any] = yaml.safe_load(text)
    rows = values["backbone"] + values["head"]
    head = len(rows) - 1
    inside = [f"{head}.cv2", *(f"{head}.cv3.{level}.{i}" for level in range(3) for i in range(2))]
    return [*(i for i, row in enumerate(rows[:-1]) if row[2] not in BLOCKS), *inside]


def main() -> None:
    """Make the trainings of this part."""
    given = arguments()
    out, part = Path(given["out"]), given.get("part", "0/1")

    def make(seed: int, name: str) -> tuple[dict[str, float], Rows]:
        file, block = MODELS[name]
        text = text_of(file)
        if block:
            text = text.replace("CoTAttention,", f"{block},")
        model = out / "models" / name / file
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(text, encoding="utf-8")
        settings = {**SETTINGS, "data": given["data"], "pretrained": given["weights"], "freeze": frozen(text)}
        if "gate_lr" in given:
            settings["gate_lr"] = float(given["gate_lr"])
        trainer = train(model, seed, {**settings, "project": str(out / f"control-{part[0]}"), "name": "run"})
        epochs = curves(Path(trainer.save_dir))
        return outcome(epochs), epochs

    table(out / f"gate-control-{part[0]}.csv", ("seed", "model"), share(list(product(SEEDS, MODELS)), part), make)


if __name__ == "__main__":
    main()
