"""`yolo-cot bench`: speed and memory of the blocks and models, as ratios, with parity checked first."""

from __future__ import annotations

import csv
import dataclasses
import math
import multiprocessing
import os
import platform
from collections.abc import Callable, Sequence
from itertools import groupby, product
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ..timing import copy_rate, matmul_rate
from .blocks import LEVELS, PUBLISHED, Machine, Row, measure_forward, measure_onnx, measure_training
from .models import ModelRow, measure_models

ARGUMENTS = {
    "block": ",".join(PUBLISHED),
    "scale": "n,s",
    "level": "P3,P4,P5",
    "batch": "1,8",
    "runtime": "torch,onnxruntime",
    "model": "",
    "imgsz": 640,
    "rounds": 15,
    "device": "cpu",
    "threads": os.cpu_count() or 1,
    "out": "runs/bench",
}


def main(overrides: dict[str, object]) -> None:
    """Measure, print a table, write CSV and a plot.

    Args:
        overrides: `block`, `scale`, `level`, `batch`, `runtime` (comma-separated choices), `rounds`, `device`,
            `threads` (all cores; Ultralytics by itself leaves one free), `out`;
            `model=yolo11n-cot.yaml,...` with `imgsz` compares whole models with plain yolo11n instead.

    Raises:
        ValueError: an argument or choice that does not exist.
        ParityError: two forms that must agree do not.
    """
    unknown = set(overrides) - set(ARGUMENTS)
    if unknown:
        raise ValueError(f"yolo-cot bench takes {', '.join(ARGUMENTS)}; got {', '.join(sorted(unknown))}.")
    options = {**ARGUMENTS, **overrides}
    rounds, device, out = _whole(options, "rounds"), str(options["device"]), Path(str(options["out"]))
    torch.set_num_threads(_whole(options, "threads"))
    runtimes = _choices(options, "runtime", ["torch", "onnxruntime"])
    console = Console(width=max(Console().width, 130))
    out.mkdir(parents=True, exist_ok=True)
    console.print(f"{machine_name(device)}; torch {torch.__version__}, {torch.get_num_threads()} threads")
    if options["model"]:
        models = [m for m in str(options["model"]).strip("()[] ").replace("'", "").split(",") if m.strip()]
        compared = measure_models(
            ["yolo11n.yaml", *(m.strip() for m in models)], _whole(options, "imgsz"), rounds, tuple(runtimes)
        )
        print_models(console, compared)
        write_csv(out / "models.csv", compared)
        return
    machine = Machine(device, matmul_rate(device), copy_rate(device))
    console.print(f"limits: {machine.macs / 1e9:.0f} G multiply-adds/s, {machine.bytes / 1e9:.1f} GB/s copied")
    rows: list[Row] = []
    cases = list(
        product(
            _choices(options, "block", list(PUBLISHED)),
            _choices(options, "scale", list(LEVELS)),
            _choices(options, "level", list(LEVELS["n"])),
        )
    )
    batches = [int(batch) for batch in _choices(options, "batch", None)]
    for block, of_block in groupby(cases, lambda case: case[0]):
        sizes = [(scale, level) for _, scale, level in of_block]
        if "torch" in runtimes:
            everything = [(block, *size, batch, machine, rounds) for size in sizes for batch in batches]
            rows += _by_itself(measure_forward, everything, f"{block}, forward")
            rows += _by_itself(measure_training, everything, f"{block}, forward + backward")
        if "onnxruntime" in runtimes and device == "cpu":
            narrow = [(block, *size, machine, rounds) for size in sizes if size[0] == "n"]
            rows += _by_itself(measure_onnx, narrow, f"{block}, onnxruntime")
    print_rows(console, rows)
    write_csv(out / "blocks.csv", rows, ("speedup", "of_conv", "of_limit", "memory_ratio"))
    plot(rows, out / "blocks.png")
    console.print(f"written: {out / 'blocks.csv'}, {out / 'blocks.png'}")


def _by_itself(measure: Callable[..., Row], cases: list[tuple], what: str = "") -> list[Row]:
    """Measure each case in a process of its own, so that no row depends on which other rows are measured.

    How warm the memory is that the system hands out depends on what a process has done before: one that has trained at
    a large size keeps what others must take anew, and the published forms, whose maps are the largest, take the most.
    """
    start = (torch.get_num_threads(),)
    with multiprocessing.get_context("spawn").Pool(1, torch.set_num_threads, start, maxtasksperchild=1) as pool:
        found = (pool.apply(measure, case) for case in cases)
        return list(track(found, what, len(cases), transient=True, disable=not Console().is_terminal))


def _choices(options: dict[str, object], name: str, allowed: list[str] | None) -> list[str]:
    value = options[name]
    words = [str(v) for v in value] if isinstance(value, (list, tuple)) else str(value).split(",")
    words = [w.strip() for w in words if w.strip()]
    wrong = [w for w in words if w not in allowed] if allowed else [w for w in words if not w.isdigit() or int(w) < 1]
    if wrong or not words:
        what = f"from {', '.join(allowed)}" if allowed else "as whole numbers of 1 or more"
        raise ValueError(f"yolo-cot bench needs {name} {what}; got '{value}'.")
    return words


def _whole(options: dict[str, object], name: str) -> int:
    value = options[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"yolo-cot bench needs a whole number of 1 or more for {name}; got {value}.")
    return value


def machine_name(device: str) -> str:
    """Name of the GPU, or of the processor's family."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} processor"


def geometric_mean(values: Sequence[float]) -> float:
    """Mean of ratios."""
    return math.exp(sum(map(math.log, values)) / len(values))


def print_rows(console: Console, rows: list[Row]) -> None:
    """Print every size, then the geometric means."""
    table = Table(
        title="x published: times faster than it; of 3x3 conv, of limit: our time in theirs; memory: share of published"
    )
    for column in ("block", "what", "size", "ms", "x published", "of 3x3 conv", "of limit", "memory"):
        table.add_column(column, justify="left" if column in {"block", "what", "size"} else "right", no_wrap=True)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda r: (r.block, r.what)):
        groups.setdefault((row.block, row.what), []).append(row)
    for (block, what), members in groups.items():
        for r in members:
            memory = "" if math.isnan(r.memory) else f"{r.memory_ratio:.2f}"
            size = f"{r.scale} {r.level} x{r.batch}"
            table.add_row(
                block,
                what,
                size,
                f"{r.ours * 1e3:.2f}",
                f"{r.speedup:.2f}",
                f"{r.of_conv:.2f}",
                f"{r.of_limit:.1f}",
                memory,
            )
        ratios = [r.memory_ratio for r in members if not math.isnan(r.memory)]
        means = [geometric_mean([getattr(r, a) for r in members]) for a in ("speedup", "of_conv", "of_limit")]
        table.add_row(
            block,
            what,
            "geometric mean",
            "",
            f"{means[0]:.2f}",
            f"{means[1]:.2f}",
            f"{means[2]:.1f}",
            f"{geometric_mean(ratios):.2f}" if ratios else "",
            style="bold",
            end_section=True,
        )
    console.print(table)


def print_models(console: Console, rows: list[ModelRow]) -> None:
    """Print each model's time beside the plain one's."""
    table = Table(title="whole models, fused, one image")
    for column in ("model", "runtime", "ms", "times plain"):
        table.add_column(column, no_wrap=True, justify="left" if column in {"model", "runtime"} else "right")
    for row in rows:
        table.add_row(row.model, row.runtime, f"{row.seconds * 1e3:.1f}", f"{row.ratio:.3f}")
    console.print(table)


def write_csv(file: Path, rows: Sequence[Row] | Sequence[ModelRow], derived: tuple[str, ...] = ()) -> None:
    """Write one line for each row, its fields and the derived ratios."""
    fields = [f.name for f in dataclasses.fields(rows[0])]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*fields, *derived])
        writer.writerows([[getattr(row, name) for name in (*fields, *derived)] for row in rows])


def plot(rows: list[Row], file: Path) -> None:
    """Draw how many times faster than the published form each size is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1 + 0.22 * len(rows)), layout="constrained")
    axes = figure.subplots()
    labels = [f"{r.block}, {r.what}, {r.scale} {r.level} x{r.batch}" for r in rows]
    axes.barh(labels, [r.speedup for r in rows], color=["C0" if r.block == rows[0].block else "C1" for r in rows])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times faster than the published form (log scale; right of the line is faster)")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    figure.savefig(file, dpi=120)
