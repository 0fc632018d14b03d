"""`yolo-cot completion`: what makes a shell complete verbs, arguments and their values, from the declared arguments."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import get_type_hints

from ultralytics.cfg import MODES, TASKS
from ultralytics.utils import DEFAULT_CFG_DICT

from ..arguments import argument
from ..templates import render
from ..verbs import VERBS, load

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot completion bash"""

    shell: str = argument("the shell; load what it prints in the shell's start-up file", choices=SHELLS)


def main(arguments: Arguments) -> None:
    """Print the script."""
    others = dict.fromkeys(DEFAULT_CFG_DICT, ())
    values = {verb: completions(verb) for verb in VERBS}
    text = render(
        f"completion/{arguments.shell}.j2", verbs=VERBS, others=others, values=values, stock=sorted({*TASKS, *MODES})
    )
    print(text, end="")


def completions(verb: str) -> dict[str, tuple[str, ...]]:
    """The arguments of a verb, each with the values that it can have; none where it takes any."""
    declared = load(verb).Arguments
    hints = get_type_hints(declared)
    found: dict[str, tuple[str, ...]] = {}
    for field in dataclasses.fields(declared):
        if "others" in field.metadata:
            found |= dict.fromkeys(field.metadata["others"] or (), ())
        else:
            found[field.name] = ("True", "False") if hints[field.name] is bool else tuple(field.metadata["choices"])
    return found
