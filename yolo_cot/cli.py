"""The `yolo-cot` command: our verbs, and everything else exactly as `yolo` takes it, with the blocks known."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

import torch
import ultralytics
from ultralytics.utils import LOGGER

import yolo_cot

from .commands.arguments import read
from .commands.arguments.tables import print_help
from .commands.suggestion import nearest_verb, suggestion
from .commands.verbs import VERBS, load

HELP = {"help", "-h", "--help"}
VERSION = {"version", "-v", "--version"}


def main() -> None:
    """Run one of our verbs, or hand over to Ultralytics' own command line."""
    words = sys.argv[1:]
    for handler in LOGGER.handlers:
        handler.handleError = _pass_on_a_closed_pipe
    try:
        run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has closed it. What is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (ValueError, TypeError, FileNotFoundError, ImportError, SyntaxError) as error:
        if not str(error):
            raise
        sys.exit(f"yolo-cot: {suggestion(words, error) or error}")


def run(words: list[str]) -> None:
    """Run the words of a command line."""
    first, *rest = words or ["help"]
    if first in HELP and rest and rest[0] in VERBS:  # yolo-cot help VERB
        first, rest = rest[0], ["help"]
    if first in VERSION:
        print(f"yolo-cot {yolo_cot.__version__} (ultralytics {ultralytics.__version__}, torch {torch.__version__})")
        return
    if first != "checks":
        yolo_cot.install()  # importing the package has done so, or raises again why it could not
    if first in VERBS:
        module = load(first)
        if HELP.isdisjoint(rest):
            module.main(read(module.Arguments, rest))
        else:
            print_help(VERBS[first], module.Arguments)
        return
    if first in HELP:
        if rest and (near := nearest_verb(rest[0], 0.8)):
            raise ValueError(near)
        print("yolo-cot takes everything that yolo takes, and:")
        for verb, what in VERBS.items():
            print(f"  yolo-cot {verb:<10} {what}")
        print("yolo-cot help VERB names the arguments of one.")
    from ultralytics.cfg import entrypoint

    # Ultralytics saves what it predicts only under a command of this name.
    sys.argv[0] = "yolo"
    with _refused_in_one_line(words):
        entrypoint()


@contextlib.contextmanager
def _refused_in_one_line(words: list[str]) -> Iterator[None]:
    """Leave out the pages of help that Ultralytics prints before it refuses a word, unless help is asked for."""
    from ultralytics.cfg import CLI_HELP_MSG

    if not words or any(word.strip("-") in {"h", "help"} for word in words):
        yield
        return

    def other(record: logging.LogRecord) -> bool:
        return record.msg != CLI_HELP_MSG

    LOGGER.addFilter(other)
    try:
        yield
    finally:
        LOGGER.removeFilter(other)


def _pass_on_a_closed_pipe(record: logging.LogRecord) -> None:
    """In the place of the report that logging prints about every error of its own."""
    if isinstance(sys.exc_info()[1], BrokenPipeError):
        raise
    logging.Handler.handleError(LOGGER.handlers[0], record)
