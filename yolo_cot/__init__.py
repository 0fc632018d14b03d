"""Contextual Transformer and outlook attention for Ultralytics YOLO: importing this registers the blocks."""

__version__ = "0.1.0"

from .plugin import install, uninstall

__all__ = ["__version__", "install", "uninstall"]

install()
