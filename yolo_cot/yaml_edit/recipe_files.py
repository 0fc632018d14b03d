"""The YAML of a recipe: its text, and the file in a cache folder that holds it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

from ultralytics.utils import USER_CONFIG_DIR

from ..plugin.stock import ULTRALYTICS_VERSION
from ..version import __version__
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
    path = _cache_folder() / hashlib.sha256(key.encode()).hexdigest()[:16] / recipe.name
    if not path.is_file():
        text = made(recipe).text
        path.parent.mkdir(parents=True, exist_ok=True)
        # Processes that train together make the same file at the same time: each writes its own, the last one stays.
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(unfinished, path)
    return path


def hint(name: str) -> str:
    """A sentence with the model of ours whose name is nearest to a wrong one; "" if none is near."""
    near = nearest_name(name)
    return f"Did you mean {near!r}?" if near else ""


@cache
def _cache_folder() -> Path:
    """A folder beside Ultralytics' settings; one of this process alone where nothing can be written there."""
    folder = USER_CONFIG_DIR / "yolo_cot" / "recipes"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="yolo_cot-"))
    return folder
