"""`yolo-cot models`: the configs with parameters and GFLOPs, and the names of recipes in the bases of every task.

`models.json` holds what was measured at the default size; `python -m yolo_cot.commands.models` measures it again.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from ..paths import configs
from ..plugin.build import build
from ..plugin.catalog import find
from ..plugin.naming import task_of
from ..plugin.stock import stock_files
from ..yaml_edit.files import find_model
from ..yaml_edit.graph import rows_of
from ..yaml_edit.recipe_files import made
from ..yaml_edit.recipe_names import recipes
from .arguments import argument, at_least
from .output import console, new_table, track
from .row_sizes import row_sizes, without_memory

SCALES = "nsmlx"
# Sides of the images that detectors and classifiers are measured with, Ultralytics' and the papers'.
DETECT, CLASSIFY = 640, 224
MEASURED = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot models scale=ns"""

    scale: str = argument(f"letters of the scales to show, from {SCALES}", SCALES)
    base: str = argument("a YAML of Ultralytics, such as yolo26-seg: the names in it, measured", "")
    imgsz: int = argument("side of the square image, in pixels; classifiers have 224", DETECT, rule=at_least(32))
    fused: bool = argument("measure as deployed, after `fuse()`", False)


class Case(NamedTuple):
    """A config, called by its file's stem, at a scale; "" for a YAML without scales."""

    config: str
    scale: str
    fused: bool

    @property
    def key(self) -> str:
        """Its name in `models.json`."""
        return " ".join([self.config, *([self.scale] if self.scale else []), *(["fused"] if self.fused else [])])


class Size(NamedTuple):
    """Parameters, and GFLOPs for one square image of side `imgsz`."""

    parameters: int
    gflops: float
    imgsz: int


def main(arguments: Arguments) -> None:
    """Print the tables.

    Raises:
        ValueError: a scale or a base that does not exist.
    """
    if set(arguments.scale) - set(SCALES):
        raise ValueError(f"yolo-cot models needs scale from the letters {SCALES}; got scale={arguments.scale}.")
    if arguments.base:
        print_base(arguments)
        return
    cases = [case for case in all_cases() if case.fused == arguments.fused and case.scale in arguments.scale]
    sizes = kept() if arguments.imgsz == DETECT else measure_all(cases, arguments.imgsz)
    fused = ", fused" if arguments.fused else ""
    yolo11 = new_table(
        f"parameters (millions) and GFLOPs at {arguments.imgsz} x {arguments.imgsz}{fused}",
        ["config", *arguments.scale],
        text=["config"],
    )
    networks = new_table(
        f"networks{fused}", ["config", "scale", "parameters", "GFLOPs", "at"], text=["config", "scale"]
    )
    for config in dict.fromkeys(case.config for case in cases):
        found = {case.scale: sizes[case.key] for case in cases if case.config == config}
        if config.split("-")[0] == "yolo11":
            cells = (f"{found[s].parameters / 1e6:.2f} {found[s].gflops:6.1f}" for s in arguments.scale)
            yolo11.add_row(config if config != "yolo11" else "yolo11 (plain)", *cells)
            continue
        for scale, size in found.items():
            numbers = f"{size.parameters / 1e6:.2f}", f"{size.gflops:.1f}", f"{size.imgsz} x {size.imgsz}"
            networks.add_row(config, scale, *numbers)
    for table in (yolo11, networks):
        console().print(table)
    print_bases()
    for path in configs():
        found_blocks = (f"{row.module} at row {row.index}" for row in rows_of(read(path.stem)) if find(row.module))
        print(f"{path.stem:24} {', '.join(found_blocks)}")


def print_bases() -> None:
    """Print the bases of every task, whose names `base=` lists."""
    found: dict[str, list[str]] = {}
    for path in stock_files():
        # The head is the last row; reading all of all files takes longer than the rest of this command.
        head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()][-1]
        found.setdefault(task_of({"head": yaml.safe_load(head)}), []).append(path.stem)
    print("bases of every task; base=yolo26-seg, say, lists the names in one:")
    for task, bases in sorted(found.items()):
        print(f"  {task:9} {' '.join(bases)}")


def print_base(arguments: Arguments) -> None:
    """Measure and print a base and every recipe in it.

    Raises:
        ValueError: Ultralytics ships no such base.
    """
    base = Path(arguments.base).name.removesuffix(".yaml")
    those = [recipe for recipe in recipes() if recipe.base.stem == base]
    if not those:
        known = [path.stem for path in stock_files()]
        near = difflib.get_close_matches(base, known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
        raise ValueError(f"yolo-cot models needs base= as a YAML that Ultralytics ships; got {arguments.base}. {hint}")
    plain = yaml.safe_load(those[0].base.read_text(encoding="utf-8"))
    scales = [letter for letter in plain.get("scales") or [""] if letter in arguments.scale]
    table = new_table(
        f"{base}.yaml, {those[0].task}{', fused' if arguments.fused else ''}",
        ["model", "parameters", "GFLOPs", "at"],
        text=["model"],
    )
    for recipe in track([None, *those], "measuring"):
        try:
            config = yaml.safe_load(made(recipe).text) if recipe else plain
        except ValueError:  # it has no place here; asking for it by name says why
            continue
        for letter in scales:
            size = measure(config, letter, arguments.imgsz, arguments.fused)
            name = recipe.at_scale(letter) if recipe else f"{base}.yaml{f', scale {letter}' if letter else ''} (plain)"
            cells = f"{size.parameters / 1e6:.2f}", f"{size.gflops:.1f}", f"{size.imgsz} x {size.imgsz}"
            table.add_row(name, *cells)
    console().print(table)


def all_cases() -> list[Case]:
    """Plain YOLO11 and every shipped config, at each of its scales, as it trains and fused."""
    names = ["yolo11", *(path.stem for path in configs())]
    return [Case(n, s, fused) for fused in (False, True) for n in names for s in read(n).get("scales") or [""]]


@cache
def read(config: str) -> dict[str, Any]:
    """The YAML of a shipped config."""
    return yaml.safe_load(find_model(config)[0].read_text(encoding="utf-8"))


def kept() -> dict[str, Size]:
    """What `models.json` holds."""
    return {key: Size(*size) for key, size in json.loads(MEASURED.read_text(encoding="utf-8")).items()}


def measure_all(cases: Iterable[Case], imgsz: int = DETECT) -> dict[str, Size]:
    """Build and measure them, by their keys, with progress on the terminal."""
    cases = list(cases)
    return {case.key: measure(read(case.config), case.scale, imgsz, case.fused) for case in track(cases, "measuring")}


def measure(config: dict[str, Any], scale: str = "", imgsz: int = DETECT, fused: bool = False) -> Size:
    """Parameters and GFLOPs of the network of a YAML; classifiers are always given images of `CLASSIFY`.

    Operations are counted at the very size: attention of all pixels grows with the square of their number, which
    Ultralytics' own count, scaled up from a small image, misses.
    """
    classifier = task_of(config) == "classify"
    # A classifier needs no memory for its weights; a detector computes its strides and biases while it is built.
    with torch.device("meta" if classifier else "cpu"):
        model = build(config, scale)
    if fused:
        model.eval()
        model.fuse(verbose=False)  # type: ignore[operator]
    side = CLASSIFY if classifier else imgsz
    sizes = row_sizes(without_memory(model), side)
    return Size(sum(row.parameters for row in sizes), round(sum(row.gflops for row in sizes), 4), side)


if __name__ == "__main__":
    lines = (f'"{key}": {json.dumps(size)}' for key, size in measure_all(all_cases()).items())
    MEASURED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
