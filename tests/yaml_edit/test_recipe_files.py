"""The files that are made of recipes: kept once, whole, and only where nobody else can write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import environment
from yolo_cot.yaml_edit import recipe_files
from yolo_cot.yaml_edit.files import find_model


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A folder of settings that nothing was kept in yet."""
    monkeypatch.setattr(recipe_files, "USER_CONFIG_DIR", tmp_path / "settings")
    recipe_files._cache_folder.cache_clear()
    yield tmp_path / "settings"
    recipe_files._cache_folder.cache_clear()


def test_the_file_says_how_it_was_made_and_is_made_once(monkeypatch):
    path = recipe_files.find("yolov8n-cot-seg.yaml")
    assert path == find_model("yolov8n-cot-seg")[0] == recipe_files.find("yolov8-cot-seg.yaml")
    assert path.name == "yolov8-cot-seg.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yolov8-cot-seg.yaml: yolov8-seg.yaml with CoTAttention"
    assert lines[1].startswith("# Made by: yolo-cot insert base=yolov8-cot-seg.yaml out=yolov8-cot-seg.yaml (yolo-cot ")
    assert lines[2] == "# Idea cot: CoTAttention at P5, neck.P4."
    assert sorted(file.name for file in path.parent.iterdir()) == [path.with_suffix(".sha256").name, path.name]
    monkeypatch.setattr(recipe_files, "made", lambda recipe: pytest.fail("made again"))
    assert recipe_files.find("yolov8n-cot-seg.yaml") == path
    monkeypatch.setattr(recipe_files, "__version__", "0")
    with pytest.raises(pytest.fail.Exception, match="made again"):
        recipe_files.find("yolov8n-cot-seg.yaml")


def test_where_nothing_can_be_kept_a_process_makes_its_own(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(recipe_files, "USER_CONFIG_DIR", tmp_path / "file")
    recipe_files._cache_folder.cache_clear()
    try:
        path = recipe_files.find("yolov8n-cot.yaml")
        assert path.is_file()
        assert not path.is_relative_to(tmp_path)
    finally:
        recipe_files._cache_folder.cache_clear()


@pytest.mark.parametrize("text", ["activation: open('it_ran', 'w')\nnc: 1\n", ""])
def test_a_kept_file_that_says_something_else_is_made_anew(cache, said, text):
    """A line that somebody changed, or what a power cut left."""
    path = recipe_files.find("yolov8n-cot.yaml")
    wanted = path.read_bytes()
    path.write_text(text)
    assert recipe_files.find("yolov8n-cot.yaml") == path
    assert path.read_bytes() == wanted
    assert [line for line in said if f"{path} is not what was written there, and is made anew" in line]


@pytest.mark.slow
def test_two_processes_that_make_a_file_at_once_leave_a_whole_one(tmp_path):
    code = "import sys, yolo_cot; from yolo_cot.yaml_edit import recipe_files; print(recipe_files.find(sys.argv[1]))"
    start = [sys.executable, "-c", code, "yolov8n-cot.yaml"]
    pair = [subprocess.Popen(start, env=environment(YOLO_CONFIG_DIR=str(tmp_path)), stdout=-1, stderr=-2) for _ in "ab"]
    outputs = [process.communicate(timeout=300)[0].decode() for process in pair]
    assert not any("made anew" in output for output in outputs)
    (path,) = {output.splitlines()[-1] for output in outputs}
    assert Path(path).read_bytes() == recipe_files.find("yolov8n-cot.yaml").read_bytes()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="the system knows no owners of folders")
@pytest.mark.parametrize("whose", ["another's", "everybody's"])
def test_nothing_is_taken_from_a_folder_that_others_can_write(cache, whose, monkeypatch):
    path = recipe_files.find("yolov8n-cot.yaml")
    if whose == "everybody's":
        cache.chmod(0o777)
    else:
        monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    recipe_files._cache_folder.cache_clear()
    again = recipe_files.find("yolov8n-cot.yaml")
    assert not again.is_relative_to(cache)
    assert again.read_bytes() == path.read_bytes()
