"""Call a verb in this process with the words of a command line."""

from __future__ import annotations

from types import ModuleType

from yolo_cot.commands.arguments import read


def call(verb: ModuleType, /, **given: object) -> None:
    """Run a verb's module as `yolo-cot VERB key=value ...` does."""
    verb.main(read(verb.Arguments, [f"{name}={value}" for name, value in given.items()]))
