"""The key `blocks:` of a model YAML: blocks in files of the user's, as `module.Class`.

A module is looked for beside the YAML, in the working directory and on Python's path. Only opening the YAML file itself
imports one: a YAML dictionary, of a checkpoint say, takes what is imported already.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from .block import Block
from .packages import announced
from .register import register
from .table import BLOCKS, is_shipped

KEY = "blocks"
# The folders that were added to Python's path.
_added: list[str] = []


def names(model: Mapping[str, Any], at: str = "") -> list[str]:
    """The blocks that a model YAML names under `blocks:`, as `module.Class`.

    Raises:
        ValueError: beginning with `at`, for anything but a list of such names.
    """
    entries = model.get(KEY) or []
    entries = [entries] if isinstance(entries, str) else entries
    if not isinstance(entries, list) or not all(isinstance(e, str) and is_path(e) for e in entries):
        raise ValueError(f"{at}{KEY}: is a list of names such as my_blocks.CBAM, module and class; got {entries!r}.")
    return entries


def is_path(name: str) -> bool:
    """Whether a name is one of a class in a module, `module.Class`."""
    return re.fullmatch(r"(?:[^\W\d]\w*\.)+[^\W\d]\w*", name) is not None


def path_of(name: str) -> str:
    """`module.Class` of a block in a file of the user's; "" for any other, which is known without a line of its own."""
    block = BLOCKS.get(name)
    if block is None or is_shipped(name) or name in announced():
        return ""
    return f"{block.cls.__module__}.{block.cls.__qualname__}"


def own_folders() -> list[str]:
    """The folders from which blocks of the user's were imported, for processes that are to import them, too."""
    found = []
    for name in filter(path_of, BLOCKS):
        module = BLOCKS[name].cls.__module__
        file = Path(inspect.getfile(BLOCKS[name].cls)).resolve()
        found.append(str(file.parents[module.count(".") + (file.name == "__init__.py")]))
    return list(dict.fromkeys(found))


def own_files(model: Mapping[str, Any]) -> list[Path]:
    """The files of the blocks that a model YAML names, once they are imported."""
    classes = [BLOCKS[name.rpartition(".")[2]].cls for name in names(model)]
    return list(dict.fromkeys(Path(inspect.getfile(cls)) for cls in classes))


def load_all(model: Mapping[str, Any], file: str | Path) -> None:
    """Import and register the blocks that a YAML file names.

    Args:
        model: what the file says.
        file: its path; modules are looked for beside it first.

    Raises:
        ValueError: a block cannot be imported, or is none; the message names the file.
    """
    for name in names(model, f"{file} "):
        load(name, Path(file).resolve().parent, f"{file} names {name}")


def take_imported(model: Mapping[str, Any]) -> None:
    """Register the blocks of a YAML dictionary whose modules are imported already; import nothing."""
    for name in names(model):
        module, _, cls = name.rpartition(".")
        found = getattr(sys.modules.get(module), cls, None)
        if cls not in BLOCKS and isinstance(found, type) and issubclass(found, nn.Module):
            register(found)


def load(name: str, folder: Path, said: str = "") -> Block:
    """Import and register one block.

    Args:
        name: `module.Class`.
        folder: where its module is looked for first.
        said: the beginning of an error: who names it.

    Raises:
        ValueError: there is no such module, its import fails, or what it has is no block.
    """
    said = said or f"the block is {name}"
    module, _, cls = name.rpartition(".")
    _find(module.partition(".")[0], folder, said)
    try:
        imported = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a file of the user's may raise anything
        raise ValueError(f"{said}; importing {module} failed: {type(error).__name__}: {error}") from error
    found = getattr(imported, cls, None)
    if found is None:
        there = [n for n, v in vars(imported).items() if isinstance(v, type) and issubclass(v, nn.Module)]
        raise ValueError(f"{said}; {imported.__file__} has no {cls}. It has {', '.join(there) or 'no module class'}.")
    if BLOCKS.get(cls) is None or BLOCKS[cls].cls is not found:
        try:
            register(found)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{said}: {error}") from error
    return BLOCKS[cls]


def _find(top: str, folder: Path, said: str) -> None:
    """Make a module importable by its name, in this process and those that it starts; its folder goes last in the path.

    Raises:
        ValueError: it is nowhere, or its name means another file as well.
    """
    folders = [folder, Path.cwd()]
    beside = next((place for place in folders if (place / f"{top}.py").is_file() or (place / top).is_dir()), None)
    loaded = sys.modules.get(top)
    if loaded is None and beside is not None and str(beside) not in map(_absolute, sys.path):
        add_to_path(beside)
    spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(top)
    if spec is None:
        raise ValueError(f"{said}; there is no {top}.py in {folder}, nor a module of that name on Python's path.")
    places = [
        Path(p).resolve().parent
        for p in [*([spec.origin] if spec.origin else []), *(spec.submodule_search_locations or [])]
    ]
    if beside is not None and places and beside.resolve() not in {*places, *(p.parent for p in places)}:
        where = spec.origin or places[0]
        raise ValueError(
            f"{said}; {top} in {beside} has the name of {where}, which Python imports instead. Rename the file."
        )


def add_to_path(folder: Path) -> None:
    """Let Python find modules in a folder, after all others."""
    sys.path.append(str(folder))
    _added.append(str(folder))
    importlib.invalidate_caches()


def clean_path() -> None:
    """Take the folders that were added to Python's path out of it again; what was imported stays imported."""
    while _added:
        if (folder := _added.pop()) in sys.path:
            sys.path.remove(folder)


def _absolute(path: str) -> str:
    return str(Path(path or ".").resolve())
