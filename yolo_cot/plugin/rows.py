"""Rows of a model YAML that name a block of ours: checked, with arguments in the order of the constructor."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from .catalog import INSERTABLE, Block, find, why_not
from .catalog.files import names as named_blocks
from .layers import known_module, module_names
from .row_errors import RowError, rows, where

# A first argument this large is a channel count in the manner of older tutorials, not a kernel or a number of heads.
_LOOKS_LIKE_CHANNELS = 64

# Beyond these a row would ask for more memory or time than any machine has, and building would hang instead of fail.
_MOST_REPEATS = 100
_MOST_MAPS = 65536
_RANGES: dict[str, tuple[float, float]] = {"c2": (1, 4096), "e": (1 / 64, 4), "kernel_size": (1, 15), "stride": (1, 8)}
_RANGES |= {"hidden": (1, 4096), "mlp_ratio": (1 / 16, 16), "size": (1, 256), "depth": (1, 100)}
# The number of heads, in the check of memory, of a row that leaves it to the block.
_USUAL_HEADS = 8


def names_ours(model: dict[str, Any]) -> bool:
    """Whether any row names a block of ours, be the row well formed or not."""
    return any(isinstance(row, (list, tuple)) and any(map(_is_ours, row)) for row in rows(model))


def _is_ours(name: Any) -> bool:
    return isinstance(name, str) and find(name) is not None


def unknown_name(model: dict[str, Any]) -> RowError | None:
    """Return the error for the first row whose module no one knows, with the nearest name; None if all are known."""
    for index, row in enumerate(rows(model)):
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            continue
        name = row[2]
        if not isinstance(name, str) or known_module(name):
            continue
        if reason := why_not(name):
            return RowError(f"{where(model, index)}: {reason}")
        if said := [full for full in named_blocks(model) if full.rpartition(".")[2] == name]:
            return RowError(
                f"{where(model, index)} names '{name}', which is to come from {said[0]}. Only opening the YAML file by "
                f"YOLO(...) or train imports a file; import it first, or register the block."
            )
        near = difflib.get_close_matches(name, module_names(), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return RowError(f"{where(model, index)} names '{name}'.{hint} Known blocks: {', '.join(INSERTABLE)}.")
    return None


def prepare(model: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a model dictionary in which our rows' arguments are positional and checked.

    Raises:
        RowError: a row has the wrong form, too many arguments, an unknown keyword, an argument out of range, or a
            channel count where none goes.
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
    if isinstance(repeats, (int, float)) and repeats > _MOST_REPEATS:
        raise RowError(f"{at} ({name}) needs {_MOST_REPEATS} repeats or fewer; got {repeats!r}.")
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
    block = find(name)
    assert block is not None
    values = positional(at, block, list(arguments))
    names = [parameter.name for parameter in block.parameters]
    given = {key: _literal(at, block, key, value, model) for key, value in zip(names, values)}
    if block.by_name:
        last = arguments[-1] if arguments and isinstance(arguments[-1], dict) else {}
        said = {*last, *names[: len(arguments) - bool(last)]}
        return [source, repeats, name, [{key: given[key] for key in names if key in said}] if said else []]
    _check_ranges(at, block, given)
    # Ultralytics evaluates text, after a look at the parser's own variables: a word goes as a literal.
    return [source, repeats, name, [repr(v) if isinstance(v, str) else v for v in given.values()]]


def positional(at: str, block: Block, arguments: list[Any]) -> list[Any]:
    """Return a row's arguments in constructor order; a trailing mapping gives arguments by name.

    A composite's arguments are given in full, for older releases of Ultralytics set the one after the repeats by index.

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
    last = len(names) if block.counts_as else max([len(arguments), *(names.index(name) + 1 for name in named)])
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


def _literal(at: str, block: Block, name: str, value: Any, model: dict[str, Any]) -> Any:
    """Read an argument given as text, as Ultralytics would: `nc` is the number of classes, the rest Python literals.

    An argument whose default is a word takes words as they are.
    """
    default = next(p.default for p in block.parameters if p.name == name)
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if value == "nc":
        return model.get("nc")
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise RowError(f"{at}: {block.name} needs a number, True, False or None for {name}; got '{value}'.") from None


def _check_ranges(at: str, block: Block, given: dict[str, Any]) -> None:
    """Refuse what would exhaust memory or time before the block itself could say no."""
    for name, (low, high) in _RANGES.items():
        value = given.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not low <= value <= high:
            raise RowError(f"{at}: {block.name} needs {name} from {low:g} to {high:g}; got {value}.")
    heads, kernel = given.get("num_heads"), given.get("kernel_size")
    if "num_heads" in {p.name for p in block.parameters} and isinstance(heads, (int, type(None))):
        maps = (_USUAL_HEADS if heads is None else heads) * (kernel if isinstance(kernel, int) else 1) ** 4
        if maps > _MOST_MAPS:
            raise RowError(
                f"{at}: {block.name} needs num_heads * kernel_size**4, its attention maps, at most {_MOST_MAPS}; "
                f"got num_heads={heads}, kernel_size={kernel}. Use a smaller window, or fewer heads."
            )
