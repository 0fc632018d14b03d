"""`yolo-cot lint`: tell all faults of a model YAML at once, each with its row and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from ..yaml_edit.files import trust
from ..yaml_edit.lint import lint
from ..yaml_edit.lint.notes import notes
from .arguments import argument


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot lint yolo11-mine.yaml"""

    model: tuple[str, ...] = argument("the path or the name of a YAML, or several with commas between them")
    trust: bool = argument("import the blocks of your own that the YAML names, and check their rows too", False)


def main(arguments: Arguments) -> None:
    """Print which YAMLs are clean, or raise with all faults.

    Raises:
        ValueError: the faults, one per line.
        FileNotFoundError: no such YAML.
    """
    found = []
    for name in arguments.model:
        if arguments.trust:
            trust(name)
        if faults := lint(name):
            found.append(f"{name} has {len(faults)} fault{'s' * (len(faults) > 1)}:")
            found += [f"  {fault}" for fault in faults]
            continue
        print(f"{name}: clean")
        for note in notes(name):
            print(f"  note: {note}")
    if found:
        raise ValueError("\n".join(found))
