"""`yolo-cot disable`: take the start-up line of `yolo-cot enable` out again."""

from __future__ import annotations

from ..plugin.startup.line import disable, line_file


def main(overrides: dict[str, object]) -> None:
    """Remove the start-up line and say so.

    Raises:
        ValueError: an argument, for it takes none; or the line cannot be removed.
    """
    if overrides:
        raise ValueError(f"yolo-cot disable takes no arguments; got {', '.join(sorted(overrides))}.")
    if disable():
        print(f"Disabled: removed {line_file()}. `yolo-cot` and `import yolo_cot` still know the blocks.")
    else:
        print(f"Not enabled in this environment: there is no {line_file()}.")
