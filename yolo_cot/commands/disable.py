"""`yolo-cot disable`: take the start-up line of `yolo-cot enable` out again."""

from __future__ import annotations

from dataclasses import dataclass

from ..plugin.startup.line import disable, line_file


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot disable"""


def main(arguments: Arguments) -> None:
    """Remove the start-up line and say so.

    Raises:
        ValueError: the line cannot be removed.
    """
    if disable():
        print(f"Disabled: removed {line_file()}. `yolo-cot` and `import yolo_cot` still know the blocks.")
    else:
        print(f"Not enabled in this environment: there is no {line_file()}.")
