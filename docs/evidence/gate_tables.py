"""Tables out of what `gate_sweep.py` and `gate_control.py` wrote, as Markdown.

python docs/evidence/gate_tables.py docs/evidence/gates
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from scipy import stats
from trainings import Rows, read

NAMES = {
    "plain": "plain yolo11n",
    "conv": "GatedConv",
    "cot": "CoTAttention",
    "outlook": "OutlookAttention",
    "cotblock": "CoTBlock",
}


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Mean and both ends of Student's interval; nan where there are too few values."""
    if len(values) < 2:
        return values[0] if values else math.nan, math.nan, math.nan
    mean, error = float(np.mean(values)), float(stats.sem(values))
    width = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return mean, mean - width, mean + width


def cells(rows: Rows, start: str, multiple: str, measure: str) -> dict[tuple[str, ...], float]:
    """A measure of every training with a start and a multiple, by what else names it."""
    chosen = [row for row in rows if row["start"] == start and row["multiple"] == multiple]
    return {(row["set"], row["optimizer"], row["seed"]): float(row[measure]) for row in chosen}


def paired(a: dict[tuple[str, ...], float], b: dict[tuple[str, ...], float]) -> list[float]:
    """Differences over what both have."""
    return [a[key] - b[key] for key in a if key in b]


def line(values: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(values)} |"


def signed(values: Sequence[float], factor: float = 1.0, digits: int = 3) -> str:
    """Mean difference with its interval."""
    mean, low, high = (factor * v for v in interval(values))
    return f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def sweep(rows: Rows) -> list[str]:
    """For every start and multiple: the measures, and differences to the same start and multiple 1."""
    out = [
        "| start | gate_lr | trainings | val loss | mAP50-95 | gates | loss against 1 x | points against 1 x |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for start, multiple in product(("0.0", "0.01", "0.1"), ("1", "10", "100")):
        loss, score = (cells(rows, start, multiple, key) for key in ("val_loss", "map"))
        if not loss:
            continue
        first = [cells(rows, start, "1", key) for key in ("val_loss", "map")]
        gates = [cells(rows, start, multiple, f"gate{i}") for i in (1, 2)]
        against = ["", ""]
        if multiple != "1":
            against = [signed(paired(loss, first[0])), signed(paired(score, first[1]), 100, 2)]
        means = (
            f"{np.mean(list(loss.values())):.3f}",
            f"{100 * np.mean(list(score.values())):.2f}",
            ", ".join(f"{np.mean(list(g.values())):.3f}" for g in gates),
        )
        out.append(line([start, multiple, str(len(loss)), *means, *against]))
    return out


def opened(rows: Rows) -> list[str]:
    """The gates by optimizer, at start 0."""
    out = ["| optimizer | gate_lr | CoTAttention's gate | OutlookAttention's gate |", "| --- | ---: | ---: | ---: |"]
    for optimizer, multiple in product(("SGD", "AdamW", "MuSGD"), ("1", "10", "100")):
        chosen = [r for r in rows if (r["optimizer"], r["multiple"], r["start"]) == (optimizer, multiple, "0.0")]
        if chosen:
            ends = [[float(row[f"gate{i}"]) for row in chosen] for i in (1, 2)]
            out.append(line([optimizer, multiple, *(f"{min(e):.3f} to {max(e):.3f}" for e in ends)]))
    return out


def starts(rows: Rows, multiple: str) -> list[str]:
    """Other starts against start 0 at one multiple, and what they change before the first step."""
    out = [
        "| start | trainings | loss against 0 | points against 0 | output changed before the first step |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for start in ("0.01", "0.1"):
        loss, score = (
            paired(cells(rows, start, multiple, key), cells(rows, "0.0", multiple, key)) for key in ("val_loss", "map")
        )
        if loss:
            first = [100 * v for v in cells(rows, start, multiple, "step0").values()]
            changed = f"{min(first):.2g} % to {max(first):.2g} %"
            out.append(line([start, str(len(loss)), signed(loss), signed(score, 100, 2), changed]))
    return out


def control(rows: Rows) -> list[str]:
    """The models of the positive control: measures over seeds, paired differences to plain and to GatedConv."""
    by: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in rows:
        by[row["model"]][row["seed"]] = row
    out = [
        "| model | seeds | mAP50-95 | gates, rows 11, 21 | their mean | against plain | against GatedConv |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for model, runs in by.items():
        score = {seed: 100 * float(row["map"]) for seed, row in runs.items()}
        gates = [[float(row[f"gate{i}"]) for row in runs.values() if row.get(f"gate{i}")] for i in (1, 2)]
        mean, low, high = interval([(a + b) / 2 for a, b in zip(*gates)])
        against = []
        for other in ("plain", "conv"):
            differences = [s - 100 * float(by[other][seed]["map"]) for seed, s in score.items() if seed in by[other]]
            against.append("" if model in (other, "plain") else signed(differences, 1, 2))
        centre, left, right = interval(list(score.values()))
        opening = [", ".join(f"{np.mean(g):.3f}" for g in gates if g), f"{mean:.3f} ({low:.3f} to {high:.3f})"]
        out.append(
            line(
                [
                    NAMES[model],
                    str(len(runs)),
                    f"{centre:.2f} ({left:.2f} to {right:.2f})",
                    *(opening if gates[0] else ["", ""]),
                    *against,
                ]
            )
        )
    return out


def main() -> None:
    """Print every table that there is something for."""
    folder = Path(sys.argv[1])
    rows = read(*sorted(folder.glob("gate-sweep-?.csv")))
    if rows:
        print("\n".join([*sweep(rows), "", *opened(rows)]))
        for multiple in ("1", "10", "100"):
            print("\n".join(["", f"gate_lr={multiple}", "", *starts(rows, multiple)]))
    rows = read(*sorted(folder.glob("gate-control-?.csv")))
    if rows:
        print("\n".join(["", *control(rows)]))


if __name__ == "__main__":
    main()
