"""Checkpoints with blocks in files of the user's: their modules are found, or named in one sentence."""

from __future__ import annotations

import _compat_pickle
import importlib.util
import pickletools
import re
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from ultralytics.nn import tasks

from ..catalog.files import add_to_path
from ..undo import Undo, replace
from .damaged import damage

# Names that Ultralytics' own loading stands in for, and those of Python 2 that pickles still use.
_LEGACY = {"models", "utils", "numpy", "ultralytics", *_compat_pickle.IMPORT_MAPPING}


def checkpoint_blocks() -> Undo:
    """Before a checkpoint is opened, make the modules that it unpickles from importable, as a YAML's are.

    They are looked for on Python's path, in the working directory and beside the checkpoint. One that is nowhere would
    make Ultralytics install a package of that name from the index; here an error names it instead.
    """

    def make(load: Callable) -> Callable:
        def load_with_blocks(weight, *args, **kwargs):
            safe = args[0] if args else kwargs.get("safe_only")
            if not (getattr(tasks, "SAFE_LOAD", False) if safe is None else safe):
                _find_modules(Path(str(weight)))
            return load(weight, *args, **kwargs)

        return load_with_blocks

    return replace(tasks, "torch_safe_load", make)


def _find_modules(file: Path) -> None:
    try:
        classes = _classes(file)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
        raise damage(file, error) from error
    for top, cls in classes.items():
        if top in sys.modules or top in _LEGACY or importlib.util.find_spec(top) is not None:
            continue
        places = [Path.cwd(), file.resolve().parent]
        beside = next((p for p in places if (p / f"{top}.py").is_file() or (p / top / "__init__.py").is_file()), None)
        if beside is None:
            raise ModuleNotFoundError(
                f"{file} holds {cls} of the module {top}, which is not here. Put its file into the working folder or "
                f"beside the checkpoint, or install the package that has it.",
                name=top,
            )
        add_to_path(beside)


def _classes(file: Path) -> dict[str, str]:
    """For every top-level module that a checkpoint's pickle names, a class of it; nothing is unpickled."""
    if not file.is_file() or not zipfile.is_zipfile(file):
        return {}
    with zipfile.ZipFile(file) as archive:
        name = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
        data = archive.read(name) if name else b""
    found = {m[1].decode(): m[2].decode() for m in re.finditer(rb"c([A-Za-z_]\w*)(?:\.[\w.]+)?\n(\w+)\n", data)}
    if all(top in sys.modules or top in _LEGACY for top in found):
        return {}
    # Text may look like a name; the pickle's own operations decide.
    named = (str(text).split() for code, text, _ in pickletools.genops(data) if code.name == "GLOBAL")
    return {module.partition(".")[0]: cls for module, cls in named}
