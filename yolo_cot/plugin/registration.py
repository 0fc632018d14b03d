"""Registration: makes the blocks known to Ultralytics, once, and takes everything out again."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

from ultralytics import __version__ as ultralytics_version
from ultralytics.nn import tasks

from .catalog import BLOCKS
from .hooks import HOOKS, Undo, replace
from .parser import ParserMismatch, rewrite, self_check
from .rows import RowError, names_ours, prepare, unknown_name, where

SUPPORTED = ((8, 3, 200), (8, 5, 0))  # from, and below
_undo: list[Undo] = []


def installed() -> bool:
    """Whether the blocks are registered."""
    return bool(_undo)


def install() -> None:
    """Register the blocks with Ultralytics. A second call does nothing.

    Raises:
        ImportError: Ultralytics is outside the supported range or its parser is not the one we know. Nothing has been
            changed then, and stock models work.
    """
    if _undo:
        return
    _check_version()
    original = tasks.parse_model
    try:
        self_check(original)
    except ParserMismatch as error:
        raise ImportError(
            f"yolo_cot {_own_version()} does not know the parser of Ultralytics {ultralytics_version}: {error}. "
            f"Install a release from {_text(SUPPORTED[0])} up to, not including, {_text(SUPPORTED[1])}, "
            f"or a newer yolo-cot."
        ) from error
    taken = [name for name in BLOCKS if hasattr(tasks, name)]
    if taken:
        raise ImportError(
            f"Ultralytics {ultralytics_version} already has a module named {taken[0]}: it is an edited copy, or newer "
            f"than yolo_cot {_own_version()} knows. Use an unedited release."
        )
    done: list[Undo] = []
    try:
        done.append(_register_names())
        done.append(replace(tasks, "parse_model", _parse_model))
        for hook in HOOKS:
            done.append(hook())
    except BaseException:
        for undo in reversed(done):
            undo()
        raise
    _undo.extend(done)


def uninstall() -> None:
    """Put Ultralytics' own functions back, by identity. Models that were built keep working."""
    while _undo:
        _undo.pop()()


def _register_names() -> Undo:
    for name, block in BLOCKS.items():
        setattr(tasks, name, block.cls)

    def undo() -> None:
        for name in BLOCKS:
            delattr(tasks, name)

    return undo


def _parse_model(original: Callable) -> Callable:
    """The function in the place of `parse_model`: the original for stock models, the rewrite for ours."""
    kinds = {b.cls: b.counts_as for b in BLOCKS.values() if b.counts_as is not None}
    preserving = frozenset(b.cls for b in BLOCKS.values() if b.counts_as is None)

    @functools.cache
    def rewritten() -> Callable:
        return rewrite(original, kinds, preserving, tasks.__dict__)

    def parse_model(d: dict[str, Any], ch: int, verbose: bool = True):
        if not names_ours(d):
            try:
                return original(d, ch, verbose)
            except KeyError as error:
                raise unknown_name(d, vars(tasks)) or error from None
        if error := unknown_name(d, vars(tasks)):
            raise error
        try:
            return rewritten()(prepare(d), ch, verbose)
        except RowError:
            raise
        except Exception as error:
            raise _located(d, error) from error

    return parse_model


def _located(d: dict[str, Any], error: Exception) -> RowError:
    """The error of a row, with file and row in front: both stand in the frame of parse_model."""
    row = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "parse_model" and "layers" in frame.f_locals:
            row = frame.f_locals.get("i")
    rows = [*d["backbone"], *d["head"]]
    name = f" ({rows[row][2]})" if row is not None and row < len(rows) else ""
    reason = str(error) if isinstance(error, (ValueError, TypeError)) else f"{type(error).__name__}: {error}"
    return RowError(f"{where(d, row)}{name}: {reason}")


def _check_version() -> None:
    digits = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in ultralytics_version.split(".")[:3])
    if not SUPPORTED[0] <= digits < SUPPORTED[1]:
        raise ImportError(
            f"yolo_cot {_own_version()} works with Ultralytics from {_text(SUPPORTED[0])} up to, not including, "
            f"{_text(SUPPORTED[1])}; found {ultralytics_version}. "
            f"Run: pip install 'ultralytics>={_text(SUPPORTED[0])},<{_text(SUPPORTED[1])}'."
        )


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _own_version() -> str:
    from .. import __version__

    return __version__
