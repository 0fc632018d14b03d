"""`yolo-cot enable`: make the plain `yolo` command, and every Python of this environment, know the blocks."""

from __future__ import annotations

from ..plugin.startup.line import enable


def main(overrides: dict[str, object]) -> None:
    """Write the start-up line and say where.

    Raises:
        ValueError: an argument, for it takes none; or the environment cannot be written.
    """
    if overrides:
        raise ValueError(f"yolo-cot enable takes no arguments; got {', '.join(sorted(overrides))}.")
    file = enable()
    print(f"Enabled: every Python of this environment knows the blocks, and so does `yolo`. One line in {file};")
    print("`yolo-cot disable` removes it.")
