"""`yolo-cot bench`: speed and memory of the blocks and models, as ratios, with parity checked first."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from ultralytics.utils import LOGGER

from ..arguments import argument, at_least
from ..output import console, track, write_csv
from ..timing import busy, device_name
from .blocks import LEVELS, PUBLISHED, Row, measure_forward, measure_onnx, measure_training
from .limits import Machine, copy_rate, matmul_rate
from .models import RUNTIMES, measure_models, plain_of
from .report import plot, print_models, print_rows

# What `quick=True` takes in the place of the defaults.
QUICK: dict[str, Any] = {"rounds": 5, "imgsz": 320, "scale": ("n",), "level": ("P4",), "batch": (1,)}
BOTH = ("torch", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot bench block=CoTAttention scale=n"""

    model: tuple[str, ...] = argument("whole models, not blocks, beside the plain model of the first one's base", ())
    block: tuple[str, ...] = argument("blocks", tuple(PUBLISHED), choices=tuple(PUBLISHED))
    scale: tuple[str, ...] = argument("scales, which say how wide the blocks are", tuple(LEVELS), choices=tuple(LEVELS))
    level: tuple[str, ...] = argument("levels of the neck", tuple(LEVELS["n"]), choices=tuple(LEVELS["n"]))
    batch: tuple[int, ...] = argument("images at once", (1, 8), rule=at_least(1))
    runtime: tuple[str, ...] = argument(
        "runtimes; blocks are measured in torch and, one image at scale n, in onnxruntime",
        BOTH,
        choices=tuple(RUNTIMES),
    )
    imgsz: int = argument("side of the images for whole models", 640, rule=at_least(32))
    rounds: int = argument("rounds that count", 15, rule=at_least(1))
    quick: bool = argument("five rounds of small sizes, whatever else is given", False)
    device: str = argument("where to run", "cpu")
    threads: int | None = argument("threads; all cores by default", None, rule=at_least(1))
    out: Path = argument("the folder to write", Path("runs/bench"))


def main(arguments: Arguments) -> None:
    """Measure, print a table, write CSV and a plot.

    Raises:
        ParityError: two forms that must agree do not.
    """
    if arguments.quick:
        arguments = replace(arguments, **QUICK)
    torch.set_num_threads(arguments.threads or os.cpu_count() or 1)
    screen, device, out = console(), arguments.device, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if warning := busy():
        LOGGER.warning(warning)
    screen.print(f"{device_name(device)}; torch {torch.__version__}, {torch.get_num_threads()} threads")
    if arguments.model:
        names = list(dict.fromkeys([plain_of(arguments.model[0]), *arguments.model]))
        models = measure_models(names, arguments.imgsz, arguments.rounds, arguments.runtime)
        print_models(screen, models)
        write_csv(out / "models.csv", models)
        screen.print(f"written: {out / 'models.csv'}")
        return
    machine = Machine(device, matmul_rate(device), copy_rate(device))
    screen.print(f"limits: {machine.macs / 1e9:.0f} G multiply-adds/s, {machine.bytes / 1e9:.1f} GB/s copied")
    rows = measure_blocks(arguments, machine)
    print_rows(screen, rows)
    write_csv(out / "blocks.csv", rows, ("speedup", "of_conv", "of_limit", "memory_ratio"))
    plot(rows, out / "blocks.png")
    screen.print(f"written: {out / 'blocks.csv'}, {out / 'blocks.png'}")


def measure_blocks(arguments: Arguments, machine: Machine) -> list[Row]:
    """Every block at every size, forward, forward + backward and in onnxruntime.

    Raises:
        ValueError: nothing of what was asked for can be measured.
    """
    rows: list[Row] = []
    for block in arguments.block:
        sizes = list(product([block], arguments.scale, arguments.level))
        if "torch" in arguments.runtime:
            cases = [(*size, batch, machine, arguments.rounds) for size in sizes for batch in arguments.batch]
            rows += in_fresh_processes(measure_forward, cases, f"{block}, forward")
            rows += in_fresh_processes(measure_training, cases, f"{block}, forward + backward")
        if "onnxruntime" in arguments.runtime and arguments.device == "cpu":
            narrow = [(*size, machine, arguments.rounds) for size in sizes if size[1] == "n"]
            rows += in_fresh_processes(measure_onnx, narrow, f"{block}, onnxruntime")
    if not rows:
        raise ValueError("yolo-cot bench measures blocks in onnxruntime at scale n on the CPU only; nothing was left.")
    return rows


def in_fresh_processes(measure: Callable[..., Row], cases: list[tuple], what: str = "") -> list[Row]:
    """Measure each case in a process of its own, so that no row depends on which other rows are measured.

    How warm the memory is that the system hands out depends on what a process has done before: one that has trained at
    a large size keeps what others must take anew, and the published forms, whose maps are the largest, take the most.
    """
    start = (torch.get_num_threads(),)
    with multiprocessing.get_context("spawn").Pool(1, torch.set_num_threads, start, maxtasksperchild=1) as pool:
        return [pool.apply(measure, case) for case in track(cases, what)]
