"""What a model YAML may make this package run while it is looked at: constructors of layers, with numbers of use.

Ultralytics' parser calls whatever its own file knows under a row's module name and evaluates `activation:` as Python.
A YAML that is only looked at may come from anybody.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from .bounded_yaml import MOST_NUMBER
from .layers import class_named, is_head, is_layer, known_module

# Far beyond any network's rows, and near enough to end within seconds and megabytes.
MOST_REPEATS, MOST_IN_HEAD, MOST_MODULES, MOST_TEXT = 500, 1024, 5000, 200
_ACTIVATION = re.compile(r"(?:torch\.)?nn\.(\w+)\(((?:(?:\w+=)?(?:-?[\d.]{1,6}(?:e-?\d)?|True|False)(?:, *)?)*)\)")


def refusal(name: str, repeats: float, args: Sequence[Any], settings: Mapping[str, Any]) -> str:
    """Why a row is not built to look at it; "" if it is.

    Args:
        name: its module.
        repeats: how often the module is repeated, depth scaling included.
        args: its arguments.
        settings: what the YAML says beside its rows.
    """
    if not is_layer(name):
        whole = class_named(name) is not None or (name.startswith(("nn.", "torchvision.ops.")) and known_module(name))
        return f"{name} is {'no layer that takes and gives a tensor' if whole else 'no module'}."
    if name == "TorchVision" and not _is_classifier(args):
        return f"TorchVision takes the name of a classifier of torchvision.models; got {str(args[1:2])[:MOST_TEXT]}."
    if repeats > MOST_REPEATS:
        return f"it is repeated {repeats:.0f} times, depth scaling included; {MOST_REPEATS} is the most."
    # The first argument of a head is the number of classes; others count decoder layers and the like.
    limits = [(args[:1], MOST_NUMBER), (args[1:], MOST_IN_HEAD if is_head(name) else MOST_NUMBER)]
    for values, most in [*limits, (settings, MOST_NUMBER)]:
        for value in _leaves(values):
            if isinstance(value, str) and len(value) > MOST_TEXT:
                return f"it has a text of {len(value)} characters; {MOST_TEXT} is the most."
            if isinstance(value, (int, float)) and not abs(value) <= most:
                return f"it has the number {str(value)[:20]}; {most} is the most."
    return ""


def activation_module(text: object) -> nn.Module | None:
    """The module that an `activation:` means, without evaluating it; None if it is not one of torch.nn with numbers."""
    call = _ACTIVATION.fullmatch(text) if isinstance(text, str) and len(text) <= MOST_TEXT else None
    cls = getattr(nn.modules.activation, call[1], None) if call else None
    if call is None or not (isinstance(cls, type) and issubclass(cls, nn.Module)) or cls is nn.MultiheadAttention:
        return None
    try:
        given = ast.parse(f"f({call[2]})", mode="eval").body
        assert isinstance(given, ast.Call)
        named = {word.arg: ast.literal_eval(word.value) for word in given.keywords if word.arg}
        return cls(*map(ast.literal_eval, given.args), **named)
    except Exception:  # numbers that this module does not take
        return None


@contextmanager
def few_modules() -> Iterator[None]:
    """Raise ValueError as soon as what is built inside has more modules than any row of a network."""
    count = 0

    def one_more(module: nn.Module, name: str, child: nn.Module) -> None:
        nonlocal count
        count += 1
        if count > MOST_MODULES:
            raise ValueError(f"it is built of more than {MOST_MODULES} modules.")

    handle = register_module_module_registration_hook(one_more)
    try:
        yield
    finally:
        handle.remove()


def _is_classifier(args: Sequence[Any]) -> bool:
    """Whether torchvision builds what a row names without fetching anything: other networks bring weights inside."""
    import torchvision  # type: ignore[import-untyped]

    return len(args) > 1 and args[1] in torchvision.models.list_models(module=torchvision.models)


def _leaves(value: Any) -> Iterator[Any]:
    """The plain values in a nested one; text as the value that the parser reads in it."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, str) and len(value) <= MOST_TEXT:
        try:
            read = ast.literal_eval(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return
        yield from [] if isinstance(read, str) else _leaves(read)
    else:
        yield value
