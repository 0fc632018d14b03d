"""Contextual Transformer and outlook attention for Ultralytics YOLO: importing this registers the blocks."""

import sys as _sys
from pathlib import Path as _Path

from .plugin import install, made_models, register, uninstall
from .version import __version__

__all__ = ["__version__", "install", "register", "uninstall"]


def _is_own_command() -> bool:
    """Whether this process is `yolo-cot` or `python -m yolo_cot`; of any other, a refusal is the importer's to hear."""
    if _sys.argv[0] != "-m":
        return _Path(_sys.argv[0]).name in {"yolo-cot", "yolo-cot.exe"}
    # While Python looks for the module of -m, its name has no place in `argv` yet.
    return not {"yolo_cot", "-myolo_cot"}.isdisjoint(_sys.orig_argv[-len(_sys.argv) :][:1])


def _recipes() -> made_models.Maker:
    """What makes the YAMLs of names such as `yolo26n-cot-seg.yaml`; imported when one is asked for."""
    from .yaml_edit import recipe_files

    return recipe_files


made_models.maker = _recipes

try:
    install()
except ImportError:
    # The command starts all the same: `yolo-cot checks` tells what is wrong, every other verb raises this again.
    if not _is_own_command():
        raise
