"""Contextual Transformer and outlook attention for Ultralytics YOLO: importing this registers the blocks."""

import sys as _sys
from pathlib import Path as _Path

from .plugin import install, uninstall
from .version import __version__

__all__ = ["__version__", "install", "uninstall"]

try:
    install()
except ImportError:
    # Our own command starts all the same: `yolo-cot checks` tells what is wrong, every other verb raises this again.
    if _Path(_sys.argv[0]).stem != "yolo-cot" and _sys.argv[0] != "-m":
        raise
