"""The environment of the processes that commands start."""

from __future__ import annotations

import os

from ...paths import PACKAGE_ROOT
from .files import own_folders


def environment() -> dict[str, str]:
    """This process' environment, in which the package and the user's blocks can be imported from where they are."""
    path = os.pathsep.join(p for p in (os.environ.get("PYTHONPATH", ""), str(PACKAGE_ROOT), *own_folders()) if p)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
