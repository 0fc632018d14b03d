"""`yolo-cot show`: the rows of a model YAML with their sizes, beside those of its base, and a picture of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ...plugin.build import build
from ...plugin.catalog import BLOCKS
from ...yaml_edit.base import Base, compare, find_base
from ...yaml_edit.files import find_model
from ...yaml_edit.form import require_form
from ...yaml_edit.graph import rows_of
from ...yaml_edit.reading import read_model
from .row_sizes import RowSize, row_sizes

KEYS = ("model", "base", "scale", "imgsz", "save")


def main(overrides: dict[str, object]) -> None:
    """Print the table, and draw the graph where a file is named.

    Args:
        overrides: `model`, a YAML's path or name, the scale's letter in the name; `base`, the YAML to set beside it
            (found among Ultralytics' own by default); `scale`, a letter; `imgsz` (640); `save`, a picture's path.

    Raises:
        ValueError: an argument that does not exist, or a model that cannot be built.
        FileNotFoundError: no such YAML.
    """
    unknown = set(overrides) - set(KEYS)
    if unknown or "model" not in overrides:
        got = f"got {', '.join(sorted(unknown))}" if unknown else "model= is missing"
        raise ValueError(
            f"yolo-cot show takes {'=, '.join(KEYS)}=; {got}. Example: yolo-cot show model=yolo11n-cot.yaml."
        )
    imgsz = overrides.get("imgsz", 640)
    if not isinstance(imgsz, int) or isinstance(imgsz, bool) or imgsz < 32 or imgsz % 32:
        raise ValueError(f"yolo-cot show needs imgsz as a multiple of 32 pixels; got {imgsz}.")
    path, named = find_model(str(overrides["model"]))
    model = _read(path)
    scales = list(model.get("scales") or [""])
    scale = str(overrides.get("scale") or (named if named in scales else scales[0]))
    if scale not in scales:
        raise ValueError(f"{path.name} has the scales {', '.join(scales)}; got scale={scale}.")
    base = _base(model, overrides.get("base"), path)
    sizes = row_sizes(build(model, scale, str(path)), imgsz)
    base_sizes = None
    if base:
        base_scale = scale if scale in (base.model.get("scales") or {}) else ""
        base_sizes = row_sizes(build(base.model, base_scale, str(base.path)), imgsz)
    title = f"{path.name}{f', scale {scale}' if scale else ''}, {imgsz} x {imgsz}"
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table(model, sizes, base, base_sizes, title))
    if save := overrides.get("save"):
        from .graph_picture import draw

        draw(rows_of(model), sizes, Path(str(save)), title, base.inserted if base else None)
        print(f"graph: {save}")


def _read(path: Path) -> dict[str, Any]:
    model = read_model(path)
    require_form(model, path.name)
    return model


def _base(model: dict[str, Any], asked: object, path: Path) -> Base | None:
    """The base to set beside the model: the one asked for, else the stock YAML that it was made from."""
    if asked:
        base_path, _ = find_model(str(asked))
        return compare(model, base_path, _read(base_path))
    found = find_base(model)
    return found if found and found.path != path else None


def table(
    model: dict[str, Any], sizes: list[RowSize], base: Base | None, base_sizes: list[RowSize] | None, title: str
) -> Table:
    """The rows as a table; rows that the base has not are marked +, rows of ours in the place of others ~."""
    result = Table(title=title)
    for column in ("row", "from", "n"):
        result.add_column(column, justify="right", no_wrap=True)
    for column in ("module", "arguments"):
        result.add_column(column, overflow="fold")
    for column in ("channels", "stride", "parameters", "GFLOPs"):
        result.add_column(column, justify="right", no_wrap=True)
    if base:
        for column in (f"{base.path.stem} row", "parameters", "GFLOPs"):
            result.add_column(column, justify="right", no_wrap=True)
    for row, size in zip(rows_of(model), sizes):
        other = base.pairs[row.index] if base else None
        mark = "+" if base and other is None else "~" if base and row.module in BLOCKS else ""
        cells = [
            f"{mark}{row.index}",
            ", ".join(map(str, row.written)),
            str(row.repeats),
            row.module,
            ", ".join(map(str, row.args)),
            "" if size.channels is None else str(size.channels),
            "" if size.stride is None else f"{size.stride:g}",
            f"{size.parameters:,}",
            f"{size.gflops:.2f}",
        ]
        if base_sizes is not None:
            there = None if other is None else base_sizes[other]
            cells += [str(other), f"{there.parameters:,}", f"{there.gflops:.2f}"] if there else ["", "", ""]
        result.add_row(*cells, style="bold" if mark else None)
    result.add_section()
    total = ["", "", "", "all", "", "", "", *_total(sizes)]
    result.add_row(*total, *(["", *_total(base_sizes)] if base_sizes is not None else []))
    return result


def _total(sizes: list[RowSize]) -> list[str]:
    return [f"{sum(s.parameters for s in sizes):,}", f"{sum(s.gflops for s in sizes):.2f}"]
