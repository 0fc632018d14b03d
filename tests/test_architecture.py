"""The house: which folder may import which, what stands at the top, and what no file may say."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "yolo_cot"
# Each room and the rooms that it may import from.
ALLOWED = {
    "paths": set(),
    "ops": {"ops"},
    "nn": {"ops", "nn"},
    "reference": {"ops", "nn", "reference"},
    "plugin": {"ops", "nn", "plugin", "paths", "__init__"},
    "yaml_edit": {"ops", "nn", "plugin", "yaml_edit", "paths", "__init__"},
    "convert": {"ops", "nn", "plugin", "convert", "paths", "__init__"},
    "data": {"data", "paths"},
    "commands": {
        *("ops", "nn", "reference", "plugin", "yaml_edit", "convert", "data", "commands", "paths", "__init__"),
    },
    "cli": {"commands", "paths", "__init__"},
    "__main__": {"cli"},
    "__init__": {"plugin"},
}
# Modules of Ultralytics whose functions only `plugin/` may reach for and replace; their public classes are free to all.
INTERNALS = {"ultralytics.nn.tasks", "ultralytics.utils.dist", "ultralytics.data.utils", "ultralytics.utils.checks"}


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Absolute dotted names that a file imports."""
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


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_plugin_reaches_into_ultralytics(path):
    if room(path) != "plugin":
        names = imports(path)
        assert not INTERNALS & set(names)
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
        *("README.md", "README.zh-CN.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs"),
        *(".github", ".ci", ".gitignore"),
    }


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.])/(?:work|root|tmp/w)/")
    for path in tracked():
        if path.suffix in {".npz", ".pt", ".jpg", ".png"}:
            continue
        assert not pattern.search(path.read_text(encoding="utf-8", errors="ignore")), path


def test_files_hold_one_idea():
    long = {str(p.relative_to(ROOT)): n for p in FILES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long, long
