"""The YAMLs are found from a wheel, an editable install and a bare checkout, and nothing named cfg is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT
from yolo_cot.paths import configs

LOOK = """
import yolo_cot
from yolo_cot.paths import config_dir, configs, data_dir
from ultralytics import YOLO
YOLO("yolo11n-cot.yaml")
from ultralytics.data.utils import check_file
print("found", len(configs()), config_dir(), check_file("shapes.yaml"), sep="|")
"""


def look(path, cwd) -> list[str]:
    """Run a Python that finds the package in `path` only, and return what it found where."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("found")).split("|")[1:]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what the package is built from."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("yolo_cot", "cfg", "datasets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_a_bare_checkout_finds_its_yamls(checkout, tmp_path):
    count, where, data = look(checkout, tmp_path)
    assert int(count) == len(configs())
    assert where == str(checkout / "cfg")
    assert data == str(checkout / "datasets" / "shapes.yaml")


def test_a_wheel_carries_its_yamls_and_installs_no_package_named_cfg(checkout, tmp_path):
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 or later builds the wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    done = subprocess.run([*command, str(checkout)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
        wheel.extractall(tmp_path / "installed")
    assert {top for top in tops if not top.endswith(".dist-info")} == {"yolo_cot"}
    count, where, data = look(tmp_path / "installed", tmp_path)
    assert int(count) == len(configs())
    assert where == str(tmp_path / "installed" / "yolo_cot" / "cfg")
    assert data == str(tmp_path / "installed" / "yolo_cot" / "datasets" / "shapes.yaml")
