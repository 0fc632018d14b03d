"""The model YAMLs that the installed Ultralytics ships."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ultralytics.utils import ROOT

__all__ = ["ROOT", "stock_files"]


@lru_cache(maxsize=1)
def stock_files() -> tuple[Path, ...]:
    """Every model YAML of the installed Ultralytics, sorted."""
    return tuple(sorted((ROOT / "cfg" / "models").rglob("*.yaml")))
