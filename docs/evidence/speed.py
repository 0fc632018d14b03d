"""The tables of docs/bench.md out of what `yolo-cot bench` left.

    python docs/evidence/speed.py blocks=runs/bench/blocks.csv models=runs/bench/models.csv

Each file is kept in `speed` beside this script, a row in the place of an older one of the same thing; the tables are
made out of those files, and with no argument they are made again.
"""

from __future__ import annotations

import csv
import re
from itertools import groupby
from pathlib import Path
from statistics import geometric_mean

from trainings import arguments

KEPT = Path(__file__).parent / "speed"
PAGE = Path(__file__).parents[1] / "bench.md"
# What says which row it is.
KEYS = {"blocks": ("block", "scale", "level", "batch", "what"), "models": ("model", "runtime")}
NAMES = {"torch": "PyTorch", "openvino": "OpenVINO", "openvino-int8": "OpenVINO int8", "ncnn": "NCNN", "mnn": "MNN"}
NAMES |= {"litert": "LiteRT"}
PLAIN = "yolo11n.yaml"
WHATS = ("forward", "forward + backward", "onnxruntime")
Row = dict[str, str]


def kept(kind: str) -> list[Row]:
    """The rows of a kind that were added."""
    file = KEPT / f"{kind}.csv"
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def add(kind: str, file: Path) -> None:
    """Add the rows of a file."""
    with file.open(encoding="utf-8", newline="") as stream:
        new = list(csv.DictReader(stream))
    rows = {tuple(row[key] for key in KEYS[kind]): row for row in (*kept(kind), *new)}
    KEPT.mkdir(exist_ok=True)
    with (KEPT / f"{kind}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(new[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def mean(rows: list[Row], column: str) -> float:
    """The geometric mean of a column."""
    return geometric_mean(float(row[column]) for row in rows)


def summary(rows: list[Row]) -> str:
    """A line for each block: how many times faster it is than its published form."""
    lines = ["| block | forward | forward + backward | peak memory of ours | onnxruntime |", "|---|--:|--:|--:|--:|"]
    for block in dict.fromkeys(row["block"] for row in rows):
        by = {what: [row for row in rows if row["block"] == block and row["what"] == what] for what in WHATS}
        forward, training, onnx = (f"{mean(by[what], 'speedup'):.1f}" for what in WHATS)
        lines.append(f"| `{block}` | {forward} | {training} | {mean(by[WHATS[1]], 'memory_ratio'):.2f} | {onnx} |")
    return "\n".join(lines) + "\n"


def sizes(rows: list[Row]) -> str:
    """A table for each block and each thing that is measured."""
    parts = []
    for (block, what), found in groupby(rows, lambda row: (row["block"], row["what"])):
        members, memory = list(found), what == WHATS[1]
        lines = [f"### {block}, {what}", "", "| size | ms | times faster than published | of 3x3 conv | of limit |"]
        lines[-1] += " memory |" if memory else ""
        lines.append("|---|--:|--:|--:|--:|" + ("--:|" if memory else ""))
        for row in members:
            size = f"{row['scale']} {row['level']} x{row['batch']}"
            cells = [size, f"{float(row['ours']) * 1e3:.2f}", *(f"{float(row[c]):.2f}" for c in ("speedup", "of_conv"))]
            cells.append(f"{float(row['of_limit']):.1f}")
            cells += [f"{float(row['memory_ratio']):.2f}"] if memory else []
            lines.append(f"| {' | '.join(cells)} |")
        means = [
            f"{mean(members, 'speedup'):.2f}",
            f"{mean(members, 'of_conv'):.2f}",
            f"{mean(members, 'of_limit'):.1f}",
        ]
        means += [f"{mean(members, 'memory_ratio'):.2f}"] if memory else []
        lines.append(f"| **geometric mean** | | {' | '.join(f'**{value}**' for value in means)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def models(rows: list[Row]) -> str:
    """A line for each model in each runtime, the plain one first."""
    lines = ["| model | runtime | ms | times plain | quartiles |", "|---|---|--:|--:|--:|"]
    for row in sorted(rows, key=lambda row: (*_runtime(row), row["model"] != PLAIN)):
        ratios = f"{float(row['ratio']):.3f} | {float(row['ratio_low']):.2f} to {float(row['ratio_high']):.2f}"
        name = row["model"].removesuffix(".yaml")
        lines.append(f"| {name} | {_runtime(row)[1]} | {float(row['seconds']) * 1e3:.1f} | {ratios} |")
    return "\n".join(lines) + "\n"


def _runtime(row: Row) -> tuple[bool, str]:
    """Sorts PyTorch and onnxruntime first."""
    name = NAMES.get(row["runtime"], row["runtime"])
    return name not in ("PyTorch", "onnxruntime"), name


def put(text: str, name: str, table: str) -> str:
    """The page with a table between its marks."""
    place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- {name}: end -->\n)", re.S)
    if not place.search(text):
        raise ValueError(f"{PAGE.name} has no place for {name}.")
    return place.sub(lambda m: m[1] + table + m[2], text)


def with_tables(page: str) -> str:
    """The page with the tables of what is kept."""
    blocks = kept("blocks")
    page = put(page, "speed summary", summary(blocks))
    page = put(page, "speed of blocks", sizes(blocks))
    return put(page, "speed of models", models(kept("models")))


if __name__ == "__main__":
    for kind, file in arguments().items():
        add(kind, Path(file))
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
