"""Registration: makes the blocks known to Ultralytics, once, and takes everything out again."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import Any

from ultralytics import __version__ as ultralytics_version
from ultralytics.nn import tasks
from ultralytics.nn.modules import Conv

from ..version import __version__
from .catalog import BLOCKS
from .hooks import HOOKS
from .parser import ParserMismatch, rewrite, self_check
from .row_errors import RowError, located, unknown_name
from .rows import names_ours, prepare
from .undo import Undo, replace

SUPPORTED = ((8, 3, 200), (8, 5, 0))  # from, and below
_undo: list[Undo] = []
_waiting: list[Callable[[], Undo | None]] = []
_lock = threading.RLock()
_busy = False


def installed() -> bool:
    """Whether the blocks are registered."""
    return bool(_undo)


def waiting() -> bool:
    """Whether a hook waits for a module of Ultralytics that is still being imported."""
    return bool(_waiting) or _busy


def install() -> None:
    """Register the blocks with Ultralytics. A second call changes nothing; threads may call it at the same time.

    Raises:
        ImportError: Ultralytics is outside the supported range or its parser is not the one we know. Nothing has been
            changed then, and stock models work.
    """
    with _lock:
        if _undo:
            _install_hooks()
            return
        if reason := refusal():
            raise ImportError(reason)
        try:
            _undo.append(_register_names())
            _undo.append(replace(tasks, "parse_model", _parse_model))
            _waiting.extend(HOOKS)
            _install_hooks()
        except BaseException:
            uninstall()
            raise


def uninstall() -> None:
    """Put Ultralytics' own functions back, by identity. Models that were built keep working."""
    with _lock:
        _waiting.clear()
        while _undo:
            _undo.pop()()


def _install_hooks() -> None:
    """Install what waits; a hook that answers None waits on.

    A hook may import a module whose import sets off another call of `install`: that one changes nothing.
    """
    global _busy
    if _busy:
        return
    _busy = True
    try:
        for hook in list(_waiting):
            if undo := hook():
                _undo.append(undo)
                _waiting.remove(hook)
    finally:
        _busy = False


def refusal() -> str:
    """Why the installed Ultralytics is not worked with: a sentence that names both versions; "" if it is."""
    if reason := _outside():
        return reason
    if installed():
        return ""
    try:
        self_check(tasks.parse_model)
    except ParserMismatch as error:
        return (
            f"yolo_cot {__version__} does not know the parser of Ultralytics {ultralytics_version}: {error}. "
            f"Install a release from {_text(SUPPORTED[0])} up to, not including, {_text(SUPPORTED[1])}, "
            f"or a newer yolo-cot."
        )
    if taken := [name for name in BLOCKS if hasattr(tasks, name)]:
        return (
            f"Ultralytics {ultralytics_version} already has a module named {taken[0]}: it is an edited copy, or newer "
            f"than yolo_cot {__version__} knows. Use an unedited release."
        )
    return ""


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
        activation = Conv.default_act
        try:
            if not names_ours(d):
                try:
                    return original(d, ch, verbose)
                except KeyError as error:
                    raise unknown_name(d, vars(tasks)) or error from None
            if unknown := unknown_name(d, vars(tasks)):
                raise unknown
            return rewritten()(prepare(d), ch, verbose)
        except RowError:
            Conv.default_act = activation
            raise
        except Exception as error:
            # A row that failed leaves the YAML's `activation:` behind for the next model.
            Conv.default_act = activation
            if not names_ours(d):
                raise
            raise located(d, error) from error

    return parse_model


def _outside() -> str:
    found = tuple(int(number) for number in re.findall(r"\d+", ultralytics_version)[:3])
    if SUPPORTED[0] <= found < SUPPORTED[1]:
        return ""
    return (
        f"yolo_cot {__version__} works with Ultralytics from {_text(SUPPORTED[0])} up to, not including, "
        f"{_text(SUPPORTED[1])}; found {ultralytics_version}. "
        f"Run: pip install 'ultralytics>={_text(SUPPORTED[0])},<{_text(SUPPORTED[1])}'."
    )


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
