"""Find a model YAML by path or by name, ours and Ultralytics', with or without the letter of its scale."""

from __future__ import annotations

from pathlib import Path

from ..paths import configs
from ..plugin.catalog.files import load_all
from ..plugin.naming import scale_letter, unscaled
from ..plugin.row_errors import one_line
from ..plugin.stock import stock_files
from . import recipe_files
from .reading import read_model

# The longest name that file systems take, with a suffix to come.
MOST_NAME = 250


def trust(name: str | Path) -> None:
    """Import the blocks that a model YAML names under `blocks:`, as opening it to train does.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a block cannot be imported, or is none.
    """
    path, _ = find_model(name)
    load_all(read_model(path), path)


def find_model(name: str | Path) -> tuple[Path, str]:
    """The file of a model YAML and the scale that its name asks for.

    Args:
        name: a path, or a bare name such as `yolo11.yaml`, `yolo11n.yaml`, `yolo26s-cot-seg.yaml`; the suffix may be
            left out.

    Returns:
        The file, and the letter of the scale or "" where the name has none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the name is that of an idea which does not fit its base.
    """
    path = Path(str(name).strip() or ".")
    if not path.name or len(path.name) > MOST_NAME:
        raise FileNotFoundError(f"no model YAML {one_line(str(name), 80)!r}: that is no name of a file.")
    if path.suffix not in (".yaml", ".yml"):
        path = path.with_name(path.name + ".yaml")
    scale = scale_letter(path)
    candidates = (path, unscaled(path))
    for candidate in candidates:
        if candidate.is_file():
            return candidate, scale
    hint = ""
    if path.parent == Path("."):
        shipped = {file.name: file for file in [*stock_files(), *configs()]}
        for candidate in candidates:
            if candidate.name in shipped:
                return shipped[candidate.name], scale
        if made := recipe_files.find(path.name):
            return made, scale
        hint = recipe_files.hint(path.name)
    raise FileNotFoundError(
        f"no model YAML {str(name)!r}: neither a file here nor a name that Ultralytics or yolo-cot knows. "
        + (hint or "Give a path, or a name such as yolo11.yaml.")
    )
