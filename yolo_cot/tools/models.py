"""`yolo-cot models`: the configs with parameters and GFLOPs per scale, beside plain YOLO11's."""

from __future__ import annotations

from dataclasses import dataclass

import yaml
from rich.console import Console
from rich.table import Table
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import get_flops, get_num_params

from ..paths import configs

SCALES = "nsmlx"


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
    for stem in ["yolo11", *(path.stem for path in configs())]:
        cells = []
        for scale in scales:
            measured = size(f"yolo11{scale}{stem.removeprefix('yolo11')}.yaml", imgsz, fused)
            cells.append(f"{measured.parameters / 1e6:.2f} {measured.gflops:6.1f}")
        table.add_row(stem if stem != "yolo11" else "yolo11 (plain)", *cells)
    Console().print(table)
    for path in configs():
        print(f"{path.stem:24} {blocks(path.read_text(encoding='utf-8'))}")


def blocks(text: str) -> str:
    """Which of our blocks a YAML's rows name, with their row numbers."""
    from ..plugin.catalog import BLOCKS

    model = yaml.safe_load(text)
    found = [(n, row[2]) for n, row in enumerate([*model["backbone"], *model["head"]]) if row[2] in BLOCKS]
    return ", ".join(f"{name} at row {n}" for n, name in found)
