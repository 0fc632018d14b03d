"""`yolo-cot enable`: make the plain `yolo` command, and every Python of this environment, know the blocks."""

from __future__ import annotations

from dataclasses import dataclass

from ..plugin.startup.line import enable


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot enable"""


def main(arguments: Arguments) -> None:
    """Write the start-up line and say where.

    Raises:
        ValueError: the environment cannot be written.
    """
    file = enable()
    print(f"Enabled: every Python of this environment knows the blocks, and so does `yolo`. One line in {file};")
    print("`yolo-cot disable` removes it.")
