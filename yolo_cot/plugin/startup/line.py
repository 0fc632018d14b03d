"""Where an environment keeps its start-up lines, and ours among them."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from ...whole_file import write_text
from . import finder as startup

_NAME = "yolo_cot_enable.pth"


def line_file() -> Path:
    """The file of the start-up line in this environment, there or not."""
    return Path(sysconfig.get_path("purelib")) / _NAME


def line() -> str:
    """The start-up line: runs `finder.py` by its path; does nothing once the package is gone."""
    script = str(Path(startup.__file__).resolve())
    root = str(Path(script).parents[3])
    names = f"{{'__name__': '__yolo_cot_startup__', 'root': {root!a}}}"
    start = f"f = open({script!a}) if os.path.exists({script!a}) else None"
    return f"import os; {start}; f and (exec(compile(f.read(), {script!a}, 'exec'), {names}), f.close())\n"


def enabled() -> bool:
    """Whether every Python of this environment registers the blocks."""
    return line_file().is_file()


def enable() -> Path:
    """Write the start-up line; returns its file.

    Raises:
        ValueError: the environment's folder cannot be written.
    """
    file = line_file()
    try:
        write_text(file, line())
    except OSError as error:
        raise ValueError(
            f"yolo-cot enable writes one line into {file}, which failed: {error.strerror}. "
            f"Use an environment of your own, or `yolo-cot` instead of `yolo`."
        ) from error
    return file


def disable() -> bool:
    """Remove the start-up line; returns whether it was there.

    Raises:
        ValueError: the file cannot be removed.
    """
    file = line_file()
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ValueError(f"yolo-cot disable removes {file}, which failed: {error.strerror}.") from error
    return True
