"""Gates over a training: `gates.csv` beside `results.csv`, and `gates.png` beside Ultralytics' own plots."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ultralytics.utils import plt_settings

from .blocks import gate_means, gates

FILE, PLOT = "gates.csv", "gates.png"


def write_row(trainer: Any) -> None:
    """Write the gates after an epoch, as they are saved: those of the running average of the weights.

    An epoch that is trained again, after a resume or after Ultralytics stepped back from NaN, replaces its row; a new
    run in an old folder starts the file anew. Without gates nothing is written.

    Args:
        trainer: Ultralytics' trainer, at the end of an epoch.
    """
    values = gate_means(trainer.ema.ema) if trainer.ema else {}
    if not values:
        return
    file, epoch = Path(trainer.save_dir) / FILE, trainer.epoch + 1
    columns, rows = read(file)
    if columns != ["epoch", *values]:
        rows = []
    kept = [[f"{int(row[0])}", *(f"{v:.6g}" for v in row[1:])] for row in rows if row[0] < epoch]
    file.parent.mkdir(parents=True, exist_ok=True)
    # A run may be killed at any moment; the file gets its name only when all of it is written.
    written = file.with_suffix(".csv.part")
    with written.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["epoch", *values])
        writer.writerows(kept)
        writer.writerow([epoch, *(f"{v:.6g}" for v in values.values())])
    written.replace(file)


def read(file: Path) -> tuple[list[str], list[list[float]]]:
    """Column names and rows of a `gates.csv`; both empty if there is none, and no rows if it holds something else."""
    if not file.is_file():
        return [], []
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        columns, *rows = list(csv.reader(lines)) or [[]]
    try:
        return columns, [[float(cell) for cell in row] for row in rows if len(row) == len(columns)]
    except ValueError:
        return columns, []


def plot(trainer: Any) -> None:
    """Draw `gates.csv` to `gates.png` if there is one and `plots` is on.

    Args:
        trainer: Ultralytics' trainer, at the end of the training.
    """
    file = Path(trainer.save_dir) / FILE
    if trainer.args.plots and trainer.ema and gates(trainer.ema.ema) and file.is_file():
        draw(file, file.with_name(PLOT))
        trainer.on_plot(file.with_name(PLOT))


@plt_settings()
def draw(file: Path, picture: Path) -> None:
    """Draw mean |gamma| and mean gamma of every gate over the epochs of a `gates.csv`, side by side."""
    import matplotlib.pyplot as plt

    columns, rows = read(file)
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), tight_layout=True)
    for axis, ending, title in zip(axes, ("/abs", "/mean"), ("mean |gamma|", "mean gamma")):
        for index, column in enumerate(columns):
            if column.endswith(ending):
                label = column.removesuffix(ending)
                axis.plot([row[0] for row in rows], [row[index] for row in rows], marker=".", linewidth=2, label=label)
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.set(title=title, xlabel="epoch")
        axis.locator_params(axis="x", integer=True)
    axes[0].legend(fontsize=8)
    figure.savefig(picture, dpi=150)
    plt.close(figure)
