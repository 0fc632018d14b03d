"""`yolo-cot models`: the configs with parameters and GFLOPs: YOLO11 per scale beside the plain one, then networks."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import yaml
from rich.console import Console
from rich.table import Table
from torch import nn
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import get_flops, get_num_params

from ..paths import configs
from ..plugin.build import build
from ..plugin.naming import task_of

SCALES = "nsmlx"
# Side of the images that classifiers are measured with, Ultralytics' and the papers'.
CLASSIFY = 224


@dataclass(frozen=True)
class Size:
    """Parameters and GFLOPs, at the size asked for, of one model as it trains; `fused` as it is deployed."""

    parameters: int
    gflops: float


def size(config: str, imgsz: int = 640, fused: bool = False) -> Size:
    """Build a model from its YAML and measure it.

    Args:
        config: YAML name or path with the scale's letter, `yolo11n-cot.yaml`.
        imgsz: side of the square image, in pixels.
        fused: measure after `fuse()`.
    """
    model = DetectionModel(config, verbose=False)
    if fused:
        model.eval()
        model.fuse(verbose=False)
    return Size(get_num_params(model), float(get_flops(model, imgsz)))


def network_size(text: str, scale: str = "", imgsz: int = 640, fused: bool = False) -> Size:
    """Measure a network of a YAML.

    Args:
        text: the YAML.
        scale: the letter of the scale, where the YAML has scales.
        imgsz: side of the square image, in pixels. Operations are counted at that size: attention of all pixels grows
            with the square of their number, which Ultralytics' own count, scaled up from a small image, misses.
        fused: measure after `fuse()`.
    """
    config = yaml.safe_load(text)
    # A classifier needs no memory for its weights; a detector computes its strides and biases while it is built.
    with torch.device("meta" if task_of(config) == "classify" else "cpu"):
        model = build(config, scale)
    if fused:
        model.eval()
        model.fuse(verbose=False)  # type: ignore[operator]
    return Size(get_num_params(model), gflops(model, imgsz))


def gflops(model: nn.Module, imgsz: int) -> float:
    """GFLOPs of one image, counted at its own size; 0 where the counter that Ultralytics uses is not installed.

    Args:
        model: a model of Ultralytics, on any device.
        imgsz: side of the square image, in pixels.
    """
    try:
        import thop
    except ImportError:
        return 0.0
    image = torch.empty(1, 3, imgsz, imgsz, device=next(model.parameters()).device)
    macs, _ = thop.profile(copy.deepcopy(model).eval(), inputs=[image], verbose=False)
    return 2 * macs / 1e9


def main(overrides: dict[str, object]) -> None:
    """Print the table.

    Args:
        overrides: `scale`, letters to show (all five by default); `imgsz` (640); `fused` (False).

    Raises:
        ValueError: an argument or scale that does not exist.
    """
    unknown = set(overrides) - {"scale", "imgsz", "fused"}
    if unknown:
        raise ValueError(f"yolo-cot models takes scale=, imgsz= and fused=; got {', '.join(sorted(unknown))}.")
    scales = str(overrides.get("scale", SCALES))
    if not scales or set(scales) - set(SCALES):
        raise ValueError(f"yolo-cot models needs scale from the letters {SCALES}; got '{scales}'. Example: scale=ns.")
    imgsz, fused = overrides.get("imgsz", 640), overrides.get("fused", False)
    if not isinstance(imgsz, int) or isinstance(imgsz, bool) or imgsz < 32:
        raise ValueError(f"yolo-cot models needs imgsz of 32 pixels or more; got {imgsz}.")
    if not isinstance(fused, bool):
        raise ValueError(f"yolo-cot models needs fused=True or fused=False; got {fused}.")

    table = Table(title=f"parameters (millions) and GFLOPs at {imgsz} x {imgsz}{', fused' if fused else ''}")
    table.add_column("config", no_wrap=True)
    for scale in scales:
        table.add_column(scale, justify="right", no_wrap=True)
    for stem in ["yolo11", *(path.stem for path in configs() if path.stem.startswith("yolo11-"))]:
        cells = []
        for scale in scales:
            measured = size(f"yolo11{scale}{stem.removeprefix('yolo11')}.yaml", imgsz, fused)
            cells.append(f"{measured.parameters / 1e6:.2f} {measured.gflops:6.1f}")
        table.add_row(stem if stem != "yolo11" else "yolo11 (plain)", *cells)
    console = Console(width=max(Console().width, 130))
    console.print(table)
    console.print(_networks(scales, imgsz, fused))
    for path in configs():
        print(f"{path.stem:24} {blocks(path.read_text(encoding='utf-8'))}")


def _networks(scales: str, imgsz: int, fused: bool) -> Table:
    """The table of the configs that are no YOLO11 with blocks."""
    table = Table(title=f"networks{', fused' if fused else ''}")
    for column in ("config", "scale", "parameters", "GFLOPs", "at"):
        table.add_column(column, justify="left" if column == "config" else "right", no_wrap=True)
    for path in configs():
        if path.stem.startswith("yolo11-"):
            continue
        text = path.read_text(encoding="utf-8")
        model = yaml.safe_load(text)
        side = CLASSIFY if task_of(model) == "classify" else imgsz
        for scale in [s for s in scales if s in model["scales"]] if "scales" in model else [""]:
            measured = network_size(text, scale, side, fused)
            table.add_row(
                path.stem, scale, f"{measured.parameters / 1e6:.2f}", f"{measured.gflops:.1f}", f"{side} x {side}"
            )
    return table


def blocks(text: str) -> str:
    """Which of our blocks a YAML's rows name, with their row numbers."""
    from ..plugin.catalog import BLOCKS

    model = yaml.safe_load(text)
    found = [(n, row[2]) for n, row in enumerate([*model["backbone"], *model["head"]]) if row[2] in BLOCKS]
    return ", ".join(f"{name} at row {n}" for n, name in found)
