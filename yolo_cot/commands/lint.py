"""`yolo-cot lint`: tell all faults of a model YAML at once, each with its row and what to do."""

from __future__ import annotations

import yaml

from ..yaml_edit.files import find_model
from ..yaml_edit.lint import lint
from ..yaml_edit.lint.file import class_note


def main(overrides: dict[str, object]) -> None:
    """Print that the YAML is clean, or raise with all its faults.

    Args:
        overrides: `model`, the path or the name of a YAML, or several with commas between them.

    Raises:
        ValueError: the faults, one per line; or an argument that does not exist.
        FileNotFoundError: no such YAML.
    """
    unknown = set(overrides) - {"model"}
    if unknown or "model" not in overrides:
        got = f"got {', '.join(sorted(unknown))}" if unknown else "it is missing"
        raise ValueError(f"yolo-cot lint takes model=; {got}. Example: yolo-cot lint yolo11-mine.yaml")
    model = overrides["model"]
    names = model if isinstance(model, (list, tuple)) else str(model).strip("[]() ").split(",")
    told = []
    for name in (str(n).strip().strip("'\"") for n in names):
        faults = lint(name)
        if faults:
            told.append(f"{name} has {len(faults)} fault{'s' * (len(faults) > 1)}:")
            told += [f"  {fault}" for fault in faults]
        else:
            print(f"{name}: clean")
            path, _ = find_model(name)
            if note := class_note(path, yaml.safe_load(path.read_text(encoding="utf-8"))):
                print(f"  note: {note}")
    if told:
        raise ValueError("\n".join(told))
