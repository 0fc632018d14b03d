"""What a bundle's description says of its model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..bounded_yaml import is_number
from ..row_errors import shown
from .layout import CLASSES

# Whoever predicts has the names printed.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_about(file: Path, about: Any, classes: int) -> dict[str, Any]:
    """Return what a bundle's description says of its model, and none of what is information only.

    Raises:
        ValueError: it is no description of a model with so many classes.
    """
    if not isinstance(about, dict) or str(about.get("task")) not in CLASSES:
        raise ValueError(f"{file} needs a task of {', '.join(CLASSES)}; nothing was built.")
    names, channels, branch = about.get("names"), about.get("channels", 3), about.get("class_branch")
    if not isinstance(names, dict) or list(names) != list(range(classes)):
        raise ValueError(f"{file} needs names for the classes 0 to {classes - 1}, in this order; nothing was built.")
    if not all(isinstance(name, str) and len(name) < 256 and not _CONTROL.search(name) for name in names.values()):
        raise ValueError(
            f"{file} has a class name that is no text of fewer than 256 characters, without line breaks or what else "
            f"controls a terminal; nothing was built."
        )
    if not is_number(channels, whole=True) or not 1 <= channels <= 1024:
        raise ValueError(f"{file} has {shown(channels)} image channels; a model has 1 to 1024.")
    if branch is not None and not (is_number(branch, whole=True) and branch >= 1):
        raise ValueError(f"{file} has class_branch: {shown(branch)}, which is no number of channels.")
    told = about.get("train_args")
    imgsz = told.get("imgsz") if isinstance(told, dict) else None
    known = is_number(imgsz, whole=True) and 1 <= imgsz <= 16384  # type: ignore[operator]
    said = {"task": about["task"], "names": names, "channels": channels, "class_branch": branch}
    return {**said, "imgsz": imgsz} if known else said
