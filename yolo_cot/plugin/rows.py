"""Rows of a model YAML that name a block of ours: checked, and their arguments put into the order of the constructor."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from .catalog import BLOCKS, Block

# A first argument this large is a channel count in the manner of older tutorials, not a kernel or a number of heads.
_LOOKS_LIKE_CHANNELS = 64


class RowError(ValueError):
    """A row of a model YAML that cannot be built; the message names file and row."""


def rows(model: dict[str, Any]) -> list[Any]:
    """Return all rows of a model dictionary, backbone then head."""
    return [*(model.get("backbone") or []), *(model.get("head") or [])]


def names_ours(model: dict[str, Any]) -> bool:
    """Whether any row names a block of ours."""
    return any(isinstance(row, (list, tuple)) and len(row) == 4 and _is_ours(row[2]) for row in rows(model))


def _is_ours(name: Any) -> bool:
    return isinstance(name, str) and name in BLOCKS


def where(model: dict[str, Any], index: int | None = None) -> str:
    """File and row, as errors name them."""
    file = model.get("yaml_file") or "model dictionary"
    return str(file) if index is None else f"{file} row {index}"


def unknown_name(model: dict[str, Any], known: Iterable[str]) -> RowError | None:
    """Return the error for the first row whose module no one knows, with the nearest name; None if all are known."""
    known = set(known)
    for index, row in enumerate(rows(model)):
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            continue
        name = row[2]
        if not isinstance(name, str) or name in known or name.startswith(("nn.", "torchvision.ops.")):
            continue
        near = difflib.get_close_matches(name, [*BLOCKS, *sorted(known)], n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return RowError(f"{where(model, index)} names '{name}'.{hint} Known blocks: {', '.join(BLOCKS)}.")
    return None


def prepare(model: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a model dictionary in which our rows' arguments are positional and checked.

    Raises:
        RowError: a row has the wrong form, too many arguments, an unknown keyword, or a channel count where none goes.
    """
    prepared = dict(model)
    index = 0
    for part in ("backbone", "head"):
        section = []
        for row in model.get(part) or []:
            section.append(_prepare_row(model, index, row))
            index += 1
        prepared[part] = section
    return prepared


def _prepare_row(model: dict[str, Any], index: int, row: Any) -> list[Any]:
    at = where(model, index)
    if not isinstance(row, (list, tuple)) or len(row) != 4:
        raise RowError(f"{at} must be [from, repeats, module, [arguments]]; got {row!r}.")
    source, repeats, name, arguments = row
    if not _is_ours(name):
        return list(row)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise RowError(f"{at} ({name}) needs a whole number of repeats, 1 or more; got {repeats!r}.")
    if isinstance(source, bool) or not isinstance(source, int):
        raise RowError(f"{at} ({name}) reads one row, so its `from` is one number; got {source!r}.")
    if source >= index or source < -max(index, 1):
        raise RowError(f"{at} ({name}) reads row {source}, which is not above it. Use -1 for the row before.")
    if not isinstance(arguments, (list, tuple)):
        raise RowError(f"{at} ({name}) needs a list of arguments; got {arguments!r}. Use [] for none.")
    return [source, repeats, name, positional(at, BLOCKS[name], list(arguments))]


def positional(at: str, block: Block, arguments: list[Any]) -> list[Any]:
    """Return a row's arguments in constructor order; a trailing mapping gives arguments by name.

    Raises:
        RowError: beginning with `at`, for a wrong number of arguments, a wrong name or a channel count.
    """
    parameters = block.parameters
    accepted = f"{block.name} takes [{', '.join(p.name for p in parameters)}]"
    named: dict[str, Any] = {}
    if arguments and isinstance(arguments[-1], dict):
        named = arguments.pop()
    if block.counts_as is None and arguments and _is_channels(arguments[0]):
        raise RowError(
            f"{at}: {block.name} takes its channels from its input, and the row gives none; got {arguments[0]}. "
            f"Remove it: {accepted}."
        )
    if len(arguments) > len(parameters):
        raise RowError(f"{at}: {accepted}, {len(parameters)} arguments at most; got {len(arguments)}: {arguments}.")
    names = [p.name for p in parameters]
    for name in named:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise RowError(f"{at}: {block.name} has no argument '{name}'.{hint} {accepted}.")
        if names.index(name) < len(arguments):
            raise RowError(f"{at}: {block.name} got '{name}' twice, by position and by name.")
    last = max([len(arguments), *(names.index(name) + 1 for name in named)])
    for parameter in parameters[len(arguments) : last]:
        if parameter.name in named:
            arguments.append(named[parameter.name])
        elif parameter.default is parameter.empty:
            raise RowError(f"{at}: {block.name} needs '{parameter.name}'. {accepted}.")
        else:
            arguments.append(parameter.default)
    required = sum(p.default is p.empty for p in parameters)
    if len(arguments) < required:
        raise RowError(f"{at}: {block.name} needs at least {required} argument(s). {accepted}; got {arguments}.")
    return arguments


def _is_channels(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= _LOOKS_LIKE_CHANNELS
