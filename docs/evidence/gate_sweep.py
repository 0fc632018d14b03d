"""How gates should start and how fast they should learn: a grid of short trainings, read by `gate_tables.py`.

    python docs/evidence/gate_sweep.py bccd=bccd.yaml aquarium=aquarium.yaml weights=yolo11n.pt out=runs/gates part=0/1

With `multiple=10`, the multiple that the first 36 trainings have chosen, the other starts are trained too.
`optimizers=SGD,AdamW` leaves out MuSGD, which orthogonalises in bfloat16: a processor that imitates that type takes
half a minute for a step. The plan, with the criterion, is in plan.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from trainings import Rows, arguments, curves, outcome, share, table, text_of, train

from yolo_cot.plugin.gates import gates

MODEL = "yolo11n-cot-outlook.yaml"
SEEDS, SETS = (0, 1), ("bccd", "aquarium")
STARTS, MULTIPLES = (0.0, 0.01, 0.1), (1, 10, 100)
# What optimizer=auto of Ultralytics takes: for AdamW 0.002 * 5 / (4 + classes).
OPTIMIZERS = {"SGD": (0.01, 0.937), "AdamW": (None, 0.9), "MuSGD": (0.01, 0.9)}
ADAMW = {"bccd": 0.001429, "aquarium": 0.000909}
# Of 205 and 448 pictures, so that both sets give 16 batches an epoch.
FRACTION = {"bccd": 0.6, "aquarium": 0.275}
SETTINGS = {"imgsz": 96, "batch": 8, "nbs": 8, "epochs": 10, "warmup_epochs": 1, "mosaic": 0.0, "val": False}
KEYS = ("seed", "set", "optimizer", "start", "multiple")


def jobs(chosen: int | None, optimizers: Sequence[str]) -> list[tuple]:
    """Every training: all of start 0 first, by seed and set, then with `chosen` the other starts at that multiple."""
    order = list(product(SEEDS, SETS, optimizers, STARTS, MULTIPLES))
    first = [job for job in order if job[3] == 0]
    return first + [job for job in order if job[3] != 0 and job[4] == chosen]


def changed(trainer: Any) -> float:
    """How far the gates change the model's output on a batch of pictures, relative to its size."""
    model = trainer.model.eval()
    images = next(iter(trainer.test_loader))["img"].float() / 255
    with torch.no_grad():
        with_gates = model(images)[0]
        values = {name: block.gamma.clone() for name, block in gates(model).items()}
        for block in gates(model).values():
            block.gamma.zero_()
        without = model(images)[0]
        for name, block in gates(model).items():
            block.gamma.copy_(values[name])
    return float((with_gates - without).norm() / without.norm())


def main() -> None:
    """Make the trainings of this part."""
    given = arguments()
    out, part = Path(given["out"]), given.get("part", "0/1")
    chosen = int(given["multiple"]) if "multiple" in given else None

    def make(seed: int, data: str, optimizer: str, start: float, multiple: int) -> tuple[dict[str, float], Rows]:
        model = out / "models" / f"gate{start}" / MODEL
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(text_of(MODEL).replace("gate: 0.0", f"gate: {start}"), encoding="utf-8")
        rate, momentum = OPTIMIZERS[optimizer]
        first: list[float] = []
        trainer = train(
            model,
            seed,
            {
                **SETTINGS,
                "data": given[data],
                "fraction": FRACTION[data],
                "pretrained": given["weights"],
                "optimizer": optimizer,
                "lr0": rate or ADAMW[data],
                "momentum": momentum,
                "gate_lr": float(multiple),
                "project": str(out / f"sweep-{part[0]}"),
                "name": "run",
            },
            lambda trainer: first.append(changed(trainer)),
        )
        epochs = curves(Path(trainer.save_dir))
        return {**outcome(epochs), "step0": first[0]}, epochs

    asked = jobs(chosen, given.get("optimizers", ",".join(OPTIMIZERS)).split(","))
    table(out / f"gate-sweep-{part[0]}.csv", KEYS, share(asked, part), make)


if __name__ == "__main__":
    main()
