"""Declare the arguments of a verb once; reading, help, the tables in the docs and shell completion come from that.

A verb's module has `Arguments`, a frozen dataclass, and `main(arguments)`:

    @dataclass(frozen=True, kw_only=True)
    class Arguments:
        EXAMPLE: ClassVar[str] = "yolo-cot show model=yolo11n-cot.yaml"  # its first two words name the command

        model: str = argument("a YAML's path or name")  # no default: it must be given
        imgsz: int = argument("side of the image, in pixels", 640, rule=at_least(32))
        base: Path | None = argument("the YAML to set beside it", None)  # base=None is read as None
        level: tuple[str, ...] = argument("levels to measure", ("P3", "P4"), choices=("P3", "P4", "P5"))  # level=P3,P5
        points: list[tuple[float, float]] = argument("x,y;x,y", None, read=read_points)  # a reader of its own
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
import types
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

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
    return dataclasses.field(default_factory=dict, metadata={"help": help, "others": True, "known": known})


def command_of(declared: type) -> str:
    """The command that the arguments belong to, such as `yolo-cot show`."""
    return " ".join(declared.EXAMPLE.split()[:2])  # type: ignore[attr-defined]


def read(declared: type[T], words: Sequence[str]) -> T:
    """Read the words of a command line.

    Raises:
        ValueError: an argument that does not exist, is missing or does not fit.
    """
    fields = {f.name: f for f in dataclasses.fields(declared) if "others" not in f.metadata}  # type: ignore[arg-type]
    rest = [f for f in dataclasses.fields(declared) if "others" in f.metadata]  # type: ignore[arg-type]
    hints = get_type_hints(declared)
    values: dict[str, Any] = {}
    for name, text in _pairs(declared, words, next(iter(fields), "")):
        if name in fields:
            values[name] = _value(declared, fields[name], hints[name], text)
        elif rest and (rest[0].metadata["known"] is None or name in rest[0].metadata["known"]):
            values.setdefault(rest[0].name, {})[name] = _as_ultralytics(name, text)
        else:
            raise ValueError(_unknown(declared, name, [*fields, *((rest and rest[0].metadata["known"]) or ())]))
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise ValueError(f"{command_of(declared)} needs {name}=, {field.metadata['help']}. {_example(declared)}")
    return declared(**values)


def comma_list(text: str) -> list[str]:
    """Names with commas between them, in brackets and quotes or without, as a list."""
    return [word for part in text.strip("[]() ").split(",") if (word := part.strip(" '\""))]


def _pairs(declared: type, words: Sequence[str], first: str) -> list[tuple[str, str]]:
    """Names and texts, split by Ultralytics' own rules; a word without `=` is the first argument."""
    from ultralytics.cfg import merge_equals_args

    pairs: list[tuple[str, str]] = []
    for word in merge_equals_args(list(words)):
        name, equals, text = word.partition("=")
        if not equals and first and first not in dict(pairs):
            name, text = first, word
        elif not equals and first:
            raise ValueError(f"{command_of(declared)} takes arguments as key=value; got '{word}'. {_example(declared)}")
        elif equals and not text.strip():
            raise ValueError(f"{command_of(declared)} needs a value behind '{name}='. {_example(declared)}")
        pairs.append((name.strip().removeprefix("--"), text.strip()))
    return pairs


def _as_ultralytics(name: str, text: str) -> object:
    from ultralytics.cfg import parse_key_value_pair

    return parse_key_value_pair(f"{name}={text}")[1]


def _value(declared: type, field: dataclasses.Field, hint: Any, text: str) -> object:
    """The value of one argument's text."""
    if field.metadata["read"]:
        return field.metadata["read"](text)
    kinds = get_args(hint) if get_origin(hint) is types.UnionType or type(None) in get_args(hint) else (hint,)
    if type(None) in kinds and text.lower() == "none":
        return None
    kind = next(kind for kind in kinds if kind is not type(None))
    several = get_origin(kind) is tuple
    words, kind = (comma_list(text), get_args(kind)[0]) if several else ([text], kind)
    what, convert = _KINDS[kind]
    choices, rule = field.metadata["choices"], field.metadata["rule"]
    try:
        values = [convert(word) for word in words]
        fits = bool(values) and all((not choices or v in choices) and (not rule or rule.fits(v)) for v in values)
    except ValueError:
        fits = False
    if not fits:
        needed = f"one of {', '.join(choices)}" if choices else " ".join([what, *([rule.text] if rule else [])])
        needed += ", or several with commas between them" if several else ""
        raise ValueError(
            f"{command_of(declared)} needs {field.name} as {needed}; got {field.name}={text}. {_example(declared)}"
        )
    return tuple(values) if several else values[0]


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


_KINDS: dict[type, tuple[str, Callable[[str], Any]]] = {
    str: ("text", str),
    int: ("a whole number", int),
    float: ("a number", _number),
    bool: ("True or False", _truth),
    Path: ("a path", Path),
}


def _unknown(declared: type, name: str, known: Sequence[str]) -> str:
    """The error for a name that does not exist."""
    if not known:
        return f"{command_of(declared)} takes no arguments; got '{name}'."
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{command_of(declared)} has no argument '{name}'. {hint}{_example(declared)}"


def _example(declared: type) -> str:
    return f"Example: {declared.EXAMPLE}"  # type: ignore[attr-defined]
