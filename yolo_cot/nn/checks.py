"""Checks that the constructors share; each error says the rule, what arrived and what to do."""

from __future__ import annotations


def whole(owner: str, name: str, value: object, least: int = 1) -> int:
    """Return `value` if it is an int of at least `least`, else raise an error that names owner and argument."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{owner} needs a whole number for {name}; got {value!r}.")
    if value < least:
        raise ValueError(f"{owner} needs {name} of at least {least}; got {value}.")
    return value


def odd(owner: str, name: str, value: object) -> int:
    """Return `value` if it is an odd positive int."""
    size = whole(owner, name, value)
    if size % 2 == 0:
        raise ValueError(f"{owner} needs an odd {name}, so that a window has a centre; got {size}. Use {size + 1}.")
    return size


def number(owner: str, name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
        raise TypeError(f"{owner} needs a finite number for {name}; got {value!r}.")
    return float(value)


def probability(owner: str, name: str, value: object) -> float:
    """Return `value` as a float if it lies in [0, 1)."""
    p = number(owner, name, value)
    if not 0 <= p < 1:
        raise ValueError(f"{owner} needs {name} from 0 up to, not including, 1; got {p}.")
    return p


def flag(owner: str, name: str, value: object) -> bool:
    """Return `value` if it is a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{owner} needs True or False for {name}; got {value!r}.")
    return value


def one_of(owner: str, name: str, value: object, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of the given words."""
    if value not in choices:
        raise ValueError(f"{owner} needs {name} to be one of {', '.join(choices)}; got {value!r}.")
    return str(value)
