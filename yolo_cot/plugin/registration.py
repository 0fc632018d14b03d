"""Registration: makes the blocks known to Ultralytics, once, and takes everything out again."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import Any

from ultralytics import __version__ as ultralytics_version
from ultralytics import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import Conv
from ultralytics.utils import LOGGER

from ..version import __version__
from .catalog import find
from .catalog.files import take_imported
from .guard import guard_names, names_taken
from .hooks import HOOKS
from .parser import ParserMismatch, rewrite, self_check
from .row_errors import RowError, located
from .rows import names_ours, prepare, unknown_name
from .undo import Undo, replace

# The releases that the contract is run against: from the first up to, not including, the second.
TESTED = ((8, 3, 200), (8, 5, 0))
_undo: list[Undo] = []
_waiting: list[Callable[[], Undo | None]] = []
_lock = threading.RLock()
# One model at a time is parsed: its activation stands in a class attribute meanwhile, and `ast`, which reads the
# arguments, was seen to fail in several threads at once in Python 3.11.
_parsing = threading.RLock()
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
        ImportError: Ultralytics' parser is not the one we know. Nothing has been changed then, and stock models work.
    """
    with _lock:
        if _undo:
            _install_hooks()
            return
        if reason := refusal():
            raise ImportError(reason)
        try:
            _undo.append(guard_names())
            stock = vars(tasks)["parse_model"]
            # `ultralytics.nn` has it under a name of its own once it is imported.
            for owner in (tasks, nn):
                if vars(owner).get("parse_model") is stock:
                    _undo.append(replace(owner, "parse_model", _parse_model))
            _waiting.extend(HOOKS)
            _install_hooks()
        except BaseException:
            uninstall()
            raise
        if untested():
            LOGGER.warning(untested())


def uninstall() -> None:
    """Put Ultralytics' own functions back, by identity. Models that were built keep working.

    What another package has wrapped or replaced since stays, with a warning that names it; what is ours in it does
    nothing any more.
    """
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
    if installed():
        return ""
    try:
        self_check(tasks.parse_model)
    except ParserMismatch as error:
        return (
            f"yolo_cot {__version__} does not know the parser of Ultralytics {ultralytics_version}: {error}. "
            f"Install a release that it is tested with, {tested()}, or a newer yolo-cot."
        )
    if taken := names_taken():
        return (
            f"Ultralytics {ultralytics_version} already has a module named {taken[0]}: it is an edited copy, or newer "
            f"than yolo_cot {__version__} knows. Use an unedited release."
        )
    return ""


def tested() -> str:
    """The tested releases, in words."""
    low, high = (".".join(map(str, version)) for version in TESTED)
    return f"from {low} up to, not including, {high}"


def untested() -> str:
    """What to tell of an Ultralytics outside the tested range; "" inside it."""
    found = tuple(int(number) for number in re.findall(r"\d+", ultralytics_version)[:3])
    if TESTED[0] <= found < TESTED[1]:
        return ""
    return (
        f"yolo_cot {__version__} is tested with Ultralytics {tested()}; found {ultralytics_version}, whose parser "
        f"passes the self-check."
    )


def _parse_model(original: Callable) -> Callable:
    """The function in the place of `parse_model`: the original for stock models, the rewrite for ours."""

    @functools.cache
    def rewritten() -> Callable:
        return rewrite(original, find, tasks.__dict__)

    def parse_model(d: dict[str, Any], ch: int, verbose: bool = True):
        with _parsing:
            return parse(d, ch, verbose)

    def parse(d: dict[str, Any], ch: int, verbose: bool):
        activation = Conv.default_act
        try:
            take_imported(d)
            if not names_ours(d):
                try:
                    return original(d, ch, verbose)
                except KeyError as error:
                    raise unknown_name(d) or error from None
            if unknown := unknown_name(d):
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
