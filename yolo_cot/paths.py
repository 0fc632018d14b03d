"""Where the model and data YAMLs are: inside the package (wheel) or beside it (checkout, editable install)."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# The folder that must be on `sys.path` for this package to be imported.
PACKAGE_ROOT = _PACKAGE.parent


def _folder(name: str) -> Path:
    inside = _PACKAGE / name
    beside = _PACKAGE.parent / name
    for folder in (inside, beside):
        if folder.is_dir() and any(folder.glob("*.yaml")):
            return folder
    raise FileNotFoundError(
        f"yolo_cot needs its '{name}' folder of YAML files; looked in {inside} and {beside}. Reinstall yolo-cot."
    )


def config_dir() -> Path:
    """Folder of the model YAMLs."""
    return _folder("cfg")


def data_dir() -> Path:
    """Folder of the data YAMLs."""
    return _folder("datasets")


def configs() -> list[Path]:
    """Every shipped model YAML, sorted by name."""
    return sorted(config_dir().glob("*.yaml"))
