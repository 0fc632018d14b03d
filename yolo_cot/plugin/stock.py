"""The installed Ultralytics: its version, and the model YAMLs that it ships."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ultralytics import __version__ as ULTRALYTICS_VERSION
from ultralytics.utils import ROOT

__all__ = ["ROOT", "ULTRALYTICS_VERSION", "stock_files"]


@lru_cache(maxsize=1)
def stock_files() -> tuple[Path, ...]:
    """Every model YAML of the installed Ultralytics, sorted."""
    return tuple(sorted((ROOT / "cfg" / "models").rglob("*.yaml")))
