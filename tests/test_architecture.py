"""The house: which folder may import which, no circle of imports, what stands at the top, and what no file may say."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "yolo_cot"
# Each room and the rooms that it may import from.
ALLOWED = {
    "paths": set(),
    "version": set(),
    "whole_file": set(),
    "ops": {"ops"},
    "nn": {"ops", "nn"},
    "reference": {"ops", "nn", "reference"},
    "plugin": {"ops", "nn", "plugin", "paths", "version", "whole_file", "__init__"},
    "yaml_edit": {"ops", "nn", "plugin", "yaml_edit", "paths", "version", "whole_file", "__init__"},
    "convert": {"ops", "nn", "plugin", "convert", "paths", "__init__"},
    "data": {"data", "paths"},
    "commands": {
        *("ops", "nn", "reference", "plugin", "yaml_edit", "convert", "data", "commands"),
        *("paths", "whole_file", "__init__"),
    },
    "cli": {"commands", "paths", "__init__"},
    "__main__": {"cli"},
    # The top names the room that makes the YAMLs of recipes to the plugin below it, which never imports it by itself.
    "__init__": {"plugin", "yaml_edit", "version"},
}
# Modules of Ultralytics whose functions only `plugin/` may reach for and replace; their public classes are free to all.
INTERNALS = {"ultralytics.nn.tasks", "ultralytics.utils.dist", "ultralytics.data.utils", "ultralytics.utils.checks"}
# Files that other files of their circle import on purpose, each with the reason. None is needed.
CIRCLES_ALLOWED: dict[str, str] = {}
MOST_LINES, MOST_FILES = 250, 18
# Longer files that are being taken apart.
LONG_ALLOWED: set[str] = set()
FULL_ALLOWED: set[str] = set()


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Absolute dotted names that a file imports, anywhere in it."""
    package = ["yolo_cot", *path.relative_to(PACKAGE).parent.parts]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


def modules() -> dict[str, Path]:
    """Every file of the package by its module's name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("yolo_cot", *path.relative_to(PACKAGE).with_suffix("").parts))
        found[name.removesuffix(".__init__")] = path
    return found


def graph() -> dict[str, set[str]]:
    """Which file imports which: for `from a import b`, the file of `a.b` if there is one, else that of `a`."""
    files = modules()
    edges = {}
    for name, path in files.items():
        targets = {full if full in files else full.rpartition(".")[0] for full in imports(path)}
        edges[name] = {target for target in targets if target in files and target != name}
    return edges


def circle(edges: dict[str, set[str]]) -> list[str] | None:
    """A circle of imports, each file followed by the one that it imports; None if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return None


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "yolo_cot":
            continue
        target = (
            parts[1]
            if len(parts) > 1 and ((PACKAGE / parts[1]).exists() or (PACKAGE / f"{parts[1]}.py").exists())
            else "__init__"
        )
        assert target in ALLOWED[room(path)], f"{room(path)} may not import {name}"


def test_no_file_imports_itself_through_others():
    edges = graph()
    assert sum(map(len, edges.values())) > 200
    for name, reason in CIRCLES_ALLOWED.items():
        assert reason
        assert circle(edges), f"{name} is in no circle; take it off the list"
        edges[name] = set()
    found = circle(edges)
    assert found is None, " -> ".join(found or [])


def internal(name: str) -> bool:
    """Whether a dotted name is one of Ultralytics' internals: such a module, or a function defined in one.

    The object decides, not the path: `guess_model_task` of `ultralytics.engine.model`, or of a file of ours that has
    imported it, is that of `ultralytics.nn.tasks`.
    """
    if name in INTERNALS:
        return True
    module, _, attribute = name.rpartition(".")
    try:
        value = getattr(importlib.import_module(module or name), attribute, None)
    except ImportError:
        return False
    if inspect.ismodule(value):
        return value.__name__ in INTERNALS
    return inspect.isfunction(value) and inspect.unwrap(value).__module__ in INTERNALS


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_plugin_reaches_into_ultralytics(path):
    if room(path) != "plugin":
        names = [name for name in imports(path) if name.split(".")[0] in ("ultralytics", "yolo_cot")]
        assert not [name for name in names if internal(name)]
        assert not [n for n in names if n.startswith("ultralytics.") and n.rsplit(".", 1)[-1].startswith("_")]


def test_every_room_is_known():
    assert {room(path) for path in FILES} <= set(ALLOWED)
    assert len(FILES) > 20


def test_the_walk_can_fail(tmp_path, monkeypatch):
    (tmp_path / "ops").mkdir()
    bad = tmp_path / "ops" / "bad.py"
    bad.write_text("from ..plugin import install\nimport yolo_cot.commands.models\n")
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    assert imports(bad) == ["yolo_cot.plugin.install", "yolo_cot.commands.models"]


def test_the_search_for_circles_can_fail(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "ops").mkdir()
    for name, text in {
        "__init__": "from .a import one\n",
        "a": "from . import b\none = 1\n",
        "b": "def late():\n    from .c import two\n",
        "c": "two = 2\n",
    }.items():
        (tmp_path / "ops" / f"{name}.py").write_text(text)
    assert circle(graph()) is None
    # Inside a function, inside a folder: a circle all the same.
    (tmp_path / "ops" / "c.py").write_text("def later():\n    from . import a\ntwo = 2\n")
    found = circle(graph())
    assert found is not None
    assert found[0] == found[-1]
    assert set(found) == {f"yolo_cot.ops.{name}" for name in "abc"}


@pytest.mark.parametrize(
    "name, inside",
    [
        ("ultralytics.nn.tasks", True),
        ("ultralytics.nn.tasks.guess_model_scale", True),
        ("ultralytics.engine.model.guess_model_task", True),
        ("ultralytics.utils.checks.check_yaml", True),
        ("ultralytics.engine.model.checks", True),
        ("yolo_cot.plugin.registration.tasks", True),
        ("ultralytics.nn.tasks.DetectionModel", False),
        ("ultralytics.utils.ops.make_divisible", False),
        ("yolo_cot.plugin.registration.install", False),
    ],
)
def test_internals_are_known_by_what_they_are_wherever_they_are_imported_from(name, inside):
    assert internal(name) == inside


def tracked() -> list[Path]:
    try:
        names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    if not files:
        pytest.skip("git lists no files")
    return files


def test_the_top_level_holds_what_the_design_names():
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert top <= {
        *("yolo_cot", "cfg", "datasets", "train_det.py", "tests", "pyproject.toml"),
        *(
            "README.md",
            "README.zh-CN.md",
            "LICENSE",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "docs",
            *("mkdocs.yml", "notebooks"),
            "CITATION.cff",
        ),
        *(".github", ".ci", ".gitignore", ".pre-commit-config.yaml"),
    }


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.])/(?:work|root|tmp/w)/")
    for path in tracked():
        if path.suffix in {".npz", ".pt", ".jpg", ".png"}:
            continue
        assert not pattern.search(path.read_text(encoding="utf-8", errors="ignore")), path


def test_files_hold_one_idea_and_folders_can_be_overlooked():
    lines = {str(p.relative_to(PACKAGE)): len(p.read_text(encoding="utf-8").splitlines()) for p in FILES}
    long = {name: count for name, count in lines.items() if count > MOST_LINES}
    assert set(long) == LONG_ALLOWED, long
    full = {str(f): n for f, n in Counter(p.parent.relative_to(PACKAGE) for p in FILES).items() if n > MOST_FILES}
    assert set(full) == FULL_ALLOWED, full
