"""The YAML of a recipe: its text, and the file in a cache folder that holds it."""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from ultralytics.utils import LOGGER, USER_CONFIG_DIR

from ..plugin.stock import ULTRALYTICS_VERSION
from ..version import __version__
from ..whole_file import write_text
from .edit import Edited, edit
from .reading import parse, read_text
from .recipe_names import Recipe, nearest_name, recipe_named
from .recipe_places import plan


def made(recipe: Recipe) -> Edited:
    """The base with the idea's blocks in it, under a header that says how it was made.

    Raises:
        ValueError: the idea does not fit the base.
    """
    base = read_text(recipe.base)
    todo = plan(recipe.idea, parse(base, recipe.base.name).values, recipe.base.name)
    by = f"Made by: yolo-cot insert base={recipe.name} out={recipe.name}"
    notes = [f"{by} (yolo-cot {__version__}, Ultralytics {ULTRALYTICS_VERSION})", *todo.notes]
    return edit(base, recipe.base.name, todo.insertions, todo.swap, recipe.name, notes)


def find(name: str) -> Path | None:
    """The file of the recipe that a file name asks for, made at the first time; None if it asks for none.

    Raises:
        ValueError: the idea does not fit the base.
    """
    recipe = recipe_named(name)
    if recipe is None:
        return None
    key = f"{recipe.idea!r} {__version__} {ULTRALYTICS_VERSION} {recipe.base.read_text(encoding='utf-8')}"
    path = _cache_folder() / sha256(key.encode()).hexdigest()[:16] / recipe.name
    mark = path.with_suffix(".sha256")
    there, same = path.is_file(), False
    if there and not (same := mark.is_file() and mark.read_text() == sha256(path.read_bytes()).hexdigest()):
        LOGGER.warning(f"{path} is not what was written there, and is made anew. Change a model by yolo-cot insert.")
    if not same:
        text = made(recipe).text
        path.parent.mkdir(parents=True, exist_ok=True)
        # Processes that train together make the same files at the same time; each writes them whole, the digest first.
        write_text(mark, sha256(text.encode()).hexdigest())
        write_text(path, text)
    return path


def hint(name: str) -> str:
    """A sentence with the model of ours whose name is nearest to a wrong one; "" if none is near."""
    near = nearest_name(name)
    return f"Did you mean {near!r}?" if near else ""


@cache
def _cache_folder() -> Path:
    """A folder beside Ultralytics' settings; one of this process alone where that cannot be written, or others can.

    Opening a model YAML runs what it says, and where the home cannot be written, the settings are in a folder that all
    users of the machine share.
    """
    folder = USER_CONFIG_DIR / "yolo_cot" / "recipes"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        if all(map(_is_ours, (folder, folder.parent, USER_CONFIG_DIR))):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="yolo_cot-"))


def _is_ours(folder: Path) -> bool:
    """Whether a folder is this user's and nobody else's to write; true where the system knows no such owners."""
    found = folder.stat()
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & stat.S_IWOTH)
