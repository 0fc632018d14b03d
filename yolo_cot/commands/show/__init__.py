"""`yolo-cot show`: the rows of a model YAML with their sizes, beside those of its base, and a picture of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...plugin.build import build
from ...yaml_edit.base import Base, compare, find_base
from ...yaml_edit.files import find_model, trust
from ...yaml_edit.form import require_form
from ...yaml_edit.graph import rows_of
from ...yaml_edit.reading import read_model
from ..arguments import Rule, argument
from ..output import console, track
from ..row_sizes import row_sizes, without_memory
from .table import fitting_table


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot show model=yolo11n-cot.yaml"""

    model: str = argument("a YAML's path or name, with the letter of its scale")
    base: str | None = argument("the YAML to set beside it; found among Ultralytics' own by default", None)
    scale: str | None = argument("the letter of the scale; the name's by default, else the first", None)
    imgsz: int = argument(
        "side of the image, in pixels", 640, rule=Rule("that is a multiple of 32", lambda n: n > 0 and n % 32 == 0)
    )
    trust: bool = argument("import the blocks of your own that the YAML names, without which it cannot be built", False)
    save: Path | None = argument("a picture of the graph to write, such as graph.png, .svg or .pdf", None)


def main(arguments: Arguments) -> None:
    """Print the table, and draw the graph where a file is named.

    Raises:
        ValueError: a scale that does not exist, or a model that cannot be built.
        FileNotFoundError: no such YAML.
    """
    if arguments.trust:
        trust(arguments.model)
    path, named = find_model(arguments.model)
    model, imgsz = _read(path), arguments.imgsz
    scales = list(model.get("scales") or [""])
    scale = arguments.scale or (named if named in scales else scales[0])
    if scale not in scales:
        raise ValueError(f"{path.name} has the scales {', '.join(scales)}; got scale={scale}.")
    base = _base(model, arguments.base, path)
    wanted = [(model, scale, path)]
    if base:
        wanted.append((base.model, scale if scale in (base.model.get("scales") or {}) else "", base.path))
    measured = [
        row_sizes(without_memory(build(yaml, letter, str(file))), imgsz)
        for yaml, letter, file in track(wanted, "measuring")
    ]
    sizes, base_sizes = measured[0], measured[1] if base else None
    title = f"{path.name}{f', scale {scale}' if scale else ''}, {imgsz} x {imgsz}"
    screen = console()
    screen.print(fitting_table(screen, rows_of(model), sizes, base, base_sizes, title))
    if arguments.save:
        from .graph_picture import draw

        draw(rows_of(model), sizes, arguments.save, title, base.inserted if base else None)
        print(f"graph: {arguments.save}")


def _read(path: Path) -> dict[str, Any]:
    model = read_model(path)
    require_form(model, path.name)
    return model


def _base(model: dict[str, Any], asked: str | None, path: Path) -> Base | None:
    """The base to set beside the model: the one asked for, else the stock YAML that it was made from."""
    if asked:
        base_path, _ = find_model(asked)
        return compare(model, base_path, _read(base_path))
    found = find_base(model)
    return found if found and found.path != path else None
