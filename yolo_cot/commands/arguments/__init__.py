"""Declare the arguments of a verb once; reading, help, the tables in the docs and shell completion come from that.

A verb's module has `Arguments`, a frozen dataclass whose docstring is an example, and `main(arguments)`:

    @dataclass(frozen=True, kw_only=True)
    class Arguments:
        \"\"\"yolo-cot show model=yolo11n-cot.yaml\"\"\"

        model: str = argument("a YAML's path or name")  # no default: it must be given
        imgsz: int = argument("side of the image, in pixels", 640, rule=at_least(32))
        base: Path | None = argument("the YAML to set beside it", None)  # base=None is read as None
        level: tuple[str, ...] = argument("levels to measure", ("P3", "P4"), choices=("P3", "P4", "P5"))  # level=P3,P5
        points: list[tuple[float, float]] = argument("x,y;x,y", (), read=read_points)  # a reader of its own
        settings: dict[str, Any] = others("any train argument of Ultralytics", known=DEFAULT_CFG_DICT)

`read(Arguments, ["yolo11n-cot.yaml", "imgsz=320", "epochs=3"])` gives an instance: a word without `=` is the first
argument, names that are not declared go to the field made by `others`, their values read as Ultralytics reads them.
Checks of one value belong into `rule`, `choices` or `read`; checks of several together into `main`. Python callers and
tests may also write `Arguments(model=..., imgsz=...)`, which checks nothing.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from ultralytics.cfg import merge_equals_args, parse_key_value_pair

T = TypeVar("T")


class Rule(NamedTuple):
    """What a value must fulfil: `text` continues "a whole number ...", `fits` tests a value."""

    text: str
    fits: Callable[[Any], bool]


def at_least(least: float) -> Rule:
    """A number of `least` or more."""
    return Rule(f"of at least {least}", lambda value: value >= least)


def argument(
    help: str,
    default: Any = dataclasses.MISSING,
    *,
    choices: Sequence[str] = (),
    rule: Rule | None = None,
    read: Callable[[str], Any] | None = None,
) -> Any:
    """A field of a verb's `Arguments`; its annotation says how its text is read.

    Known annotations are `str`, `int`, `float`, `bool`, `Path`, a tuple of one of them (`tuple[str, ...]`, written with
    commas), each also `| None`.

    Args:
        help: one line, without a full stop.
        default: its value where it is not given; without one it must be given.
        choices: the values that are allowed.
        rule: what a value must fulfil; in a tuple, each of them.
        read: makes the value of the text, and raises ValueError with a whole sentence.
    """
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices, "rule": rule, "read": read})


def others(help: str, known: Collection[str] | None = None) -> Any:
    """The field that takes every argument that is not declared, as a dict.

    Args:
        help: one line, without a full stop.
        known: the names that exist; None takes any.
    """
    return dataclasses.field(default_factory=dict, metadata={"help": help, "others": known})


def command_of(declared: type) -> str:
    """The command that the arguments belong to, such as `yolo-cot show`: the first two words of its example."""
    return " ".join(str(declared.__doc__).split()[:2])


def read(declared: type[T], words: Sequence[str]) -> T:
    """Read the words of a command line, split by Ultralytics' own rules.

    Raises:
        ValueError: an argument that does not exist, is missing or does not fit.
    """
    fields = {field.name: field for field in dataclasses.fields(declared)}  # type: ignore[arg-type]
    other = next((name for name, field in fields.items() if "others" in field.metadata), "")
    known: Collection[str] | None = fields.pop(other).metadata["others"] if other else ()
    hints, values = get_type_hints(declared), dict[str, Any]()
    for word in merge_equals_args(list(words)):
        name, equals, text = (part.strip() for part in word.partition("="))
        name = name.removeprefix("--")
        if not equals and fields:
            name, text = next(iter(fields)), name
            if name in values:
                raise _wrong(declared, f"takes arguments as key=value; got '{word}'")
        if name in fields:
            values[name] = _value(declared, fields[name], hints[name], text)
        elif known is None or name in known:
            values.setdefault(other, {})[name] = parse_key_value_pair(f"{name}={text or None}")[1]
        elif not fields:
            raise ValueError(f"{command_of(declared)} takes no arguments; got '{name}'.")
        else:
            near = difflib.get_close_matches(name, [*fields, *known], 1)
            raise _wrong(declared, f"has no argument '{name}'", *(f"Did you mean '{word}'?" for word in near))
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise _wrong(declared, f"needs {name}=, {field.metadata['help']}")
    return declared(**values)


def comma_list(text: str) -> list[str]:
    """Names with commas between them, in brackets and quotes or without, as a list."""
    return [word for part in text.strip("[]() ").split(",") if (word := part.strip(" '\""))]


def _value(declared: type, field: dataclasses.Field, hint: Any, text: str) -> object:
    """The value of one argument's text."""
    if field.metadata["read"]:
        return field.metadata["read"](text)
    if type(None) in get_args(hint):
        if text == "None":
            return None
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    several = get_origin(hint) is tuple
    words, kind = (comma_list(text), get_args(hint)[0]) if several else ([text], hint)
    (what, convert), choices, rule = _KINDS[kind], field.metadata["choices"], field.metadata["rule"]
    try:
        values = [convert(word) for word in words]
        if text and values and all((not choices or v in choices) and (not rule or rule.fits(v)) for v in values):
            return tuple(values) if several else values[0]
    except (ValueError, KeyError):
        pass
    needed = f"one of {', '.join(choices)}" if choices else f"{what} {rule.text}" if rule else what
    needed += ", or several with commas between them" if several else ""
    raise _wrong(declared, f"needs {field.name} as {needed}; got {field.name}={text}")


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


_KINDS: dict[type, tuple[str, Callable[[str], Any]]] = {
    str: ("text", str),
    int: ("a whole number", int),
    float: ("a number", _number),
    bool: ("True or False", lambda text: {"true": True, "false": False}[text.lower()]),
    Path: ("a path", Path),
}


def _wrong(declared: type, what: str, *remedy: str) -> ValueError:
    """The error of a command that was given something wrong, with its example."""
    return ValueError(" ".join([f"{command_of(declared)} {what}.", *remedy, f"Example: {declared.__doc__}"]))
