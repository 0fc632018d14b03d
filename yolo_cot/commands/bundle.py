"""`yolo-cot bundle`: write a checkpoint as safetensors with YAML, names and versions, without any pickle."""

from __future__ import annotations

from dataclasses import dataclass

from ..plugin.bundle import write
from .arguments import argument


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot bundle best.pt"""

    model: str = argument("the checkpoint")
    out: str | None = argument("the folder to write; beside the checkpoint, called `.bundle`, by default", None)


def main(arguments: Arguments) -> None:
    """Write the bundle and say where.

    Raises:
        ValueError: no checkpoint of a model that a bundle can hold.
        FileNotFoundError: there is no such checkpoint.
    """
    folder = write(arguments.model, arguments.out)
    print(f"Wrote {folder}. It opens as YOLO('{folder}') after `import yolo_cot`, and as model={folder} in yolo-cot.")
