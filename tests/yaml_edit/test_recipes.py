"""Names as recipes: what a name asks for, the places of an idea in a base, and the file that is kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ultralytics import RTDETR, YOLO

import yolo_cot
from tests.processes import environment, here, python
from yolo_cot.paths import config_dir
from yolo_cot.plugin.naming import scale_letter
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit import recipe_files
from yolo_cot.yaml_edit.edit import edit
from yolo_cot.yaml_edit.files import find_model
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.insert import insert
from yolo_cot.yaml_edit.recipe_names import nearest_name, recipe_named, recipes
from yolo_cot.yaml_edit.recipe_places import plan
from yolo_cot.yaml_edit.recipes import IDEAS, Idea

SHIPPED = {path.stem for path in stock_files()}
OURS = sorted(path.stem for path in config_dir().glob("yolo11-*.yaml"))


def text_of(name: str) -> str:
    return recipe_files.made(recipe_named(name)).text


def new_rows(text: str) -> dict[int, str]:
    """The rows of ours in a YAML, by number."""
    blocks = {block for idea in IDEAS.values() for block in idea.blocks}
    return {row.index: row.module for row in rows_of(yaml.safe_load(text)) if row.module in blocks}


def content(text: str) -> list[str]:
    """The lines of a YAML without comments, blanks at their ends and empty lines."""
    lines = (re.sub(r"\s*(#.*)?$", "", line) for line in text.splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("stem", OURS)
def test_a_shipped_file_is_exactly_what_its_recipe_gives(stem):
    shipped = (config_dir() / f"{stem}.yaml").read_text(encoding="utf-8")
    made = text_of(f"{stem}.yaml")
    assert content(shipped) == content(made)
    assert yaml.safe_load(shipped) == yaml.safe_load(made)


def test_every_shipped_yolo11_file_has_a_recipe():
    assert len(OURS) >= 14
    assert {stem.removeprefix("yolo11-") for stem in OURS} <= set(IDEAS)


@pytest.mark.parametrize(
    "name, base, idea, scale",
    [
        ("yolo26n-cot.yaml", "yolo26", "cot", "n"),
        ("yolo26s-outlook-seg.yaml", "yolo26-seg", "outlook", "s"),
        ("yolo26m-cot-outlook-sem.yaml", "yolo26-sem", "cot-outlook", "m"),
        ("yolo26n-cot-depth.yaml", "yolo26-depth", "cot", "n"),
        ("yoloe-26n-cot-seg.yaml", "yoloe-26-seg", "cot", "n"),
        ("yolov8n-cot-pose.yaml", "yolov8-pose", "cot", "n"),
        ("yolo12n-cotblock-obb.yaml", "yolo12-obb", "cotblock", "n"),
        ("yolo11n-cot-cls.yaml", "yolo11-cls", "cot", "n"),
        ("yolo11-cot-cls-resnet18.yaml", "yolo11-cls-resnet18", "cot", ""),
        ("yolov8n-cot-p2.yaml", "yolov8-p2", "cot", "n"),
        ("yolov8x-outlooker-seg-p6.yaml", "yolov8-seg-p6", "outlooker", "x"),
        ("yolov8l-cot-worldv2.yaml", "yolov8-worldv2", "cot", "l"),
        ("yolov8n-cot-backbone-ghost-p2.yaml", "yolov8-ghost-p2", "cot-backbone", "n"),
        ("yoloe-v8n-cot.yaml", "yoloe-v8", "cot", "n"),
        ("yolov9c-cot-seg.yaml", "yolov9c-seg", "cot", ""),
        ("yolov9s-cot.yaml", "yolov9s", "cot", "s"),
        ("yolov10n-cot-neck.yaml", "yolov10n", "cot-neck", "n"),
        ("yolov3-cot-tiny.yaml", "yolov3-tiny", "cot", ""),
        ("rtdetr-l-cot.yaml", "rtdetr-l", "cot", ""),
        ("rtdetr-resnet50-outlook.yaml", "rtdetr-resnet50", "outlook", ""),
    ],
)
def test_a_name_says_base_idea_and_scale(name, base, idea, scale):
    if base not in SHIPPED:
        pytest.skip(f"this Ultralytics ships no {base}.yaml")
    recipe = recipe_named(name)
    assert (recipe.base.stem, recipe.idea.name) == (base, idea)
    assert scale_letter(name) == scale
    assert name in {recipe.name, recipe.at_scale(scale)}


def test_every_base_has_its_names_and_none_is_there_twice():
    every = recipes()
    assert len({recipe.name for recipe in every}) == len(every)
    assert {recipe.base.stem for recipe in every} == SHIPPED
    with_c3k2 = {recipe.base.stem for recipe in every if recipe.idea.name == "c3k2cot"}
    assert with_c3k2 == {p.stem for p in stock_files() if "C3k2" in p.read_text(encoding="utf-8")}
    tasks = {recipe.name: recipe.task for recipe in every if recipe.idea.name == "cot"}
    assert (tasks["rtdetr-l-cot.yaml"], tasks["yolov8-cot-obb.yaml"]) == ("detect", "obb")


@pytest.mark.parametrize("name", ["yolo11.yaml", "yolo11n-mine.yaml", "cot.yaml", "yolo11n-cot-nothing.yaml"])
def test_another_name_is_no_recipe(name):
    assert recipe_named(name) is None
    assert recipe_files.find(name) is None


@pytest.mark.parametrize(
    "wrong, right",
    [
        ("yolo11-cot", "yolo11-cot.yaml"),
        ("yolo11n_cot.yaml", "yolo11n-cot.yaml"),
        ("yolo11n-cott.yaml", "yolo11n-cot.yaml"),
        ("yolo11n-cot.pt", "yolo11n-cot.yaml"),
        ("yolov8n-cot-segment.yaml", "yolov8n-cot-seg.yaml"),
        ("yolo26n-cot-segment.yaml", "yolo26n-cot-seg.yaml"),
        ("yolov8s-pose-outlook.yaml", "yolov8s-outlook-pose.yaml"),
        ("YOLO11n-CoT", "yolo11n-cot.yaml"),
        ("cotnet50", "cotnet50-cls.yaml"),
        ("yolo11-sge.yaml", ""),
        ("yolo11n.yml", ""),
        ("best.pt", ""),
    ],
)
def test_a_wrong_name_gets_the_nearest_right_one(wrong, right):
    if "26" in right and "yolo26" not in SHIPPED:
        pytest.skip("this Ultralytics ships no YOLO26")
    assert nearest_name(wrong) == right


@pytest.mark.parametrize(
    "name, rows, notes",
    [
        ("yolo11-cot-seg.yaml", {11: "CoTAttention", 21: "CoTAttention"}, []),
        (
            "yolo11-cot-cls.yaml",
            {7: "CoTAttention", 11: "CoTAttention"},
            ["No neck.P4 in yolo11-cls.yaml: P4 instead."],
        ),
        (
            "yolo11-cot-cls-resnet18.yaml",
            {1: "CoTAttention"},
            ["No neck.P4 in yolo11-cls-resnet18.yaml: nothing instead."],
        ),
        (
            "yolov3-outlooker-tiny.yaml",
            {7: "Outlooker", 10: "Outlooker"},
            ["No neck.P3 in yolov3-tiny.yaml: P3 instead."],
        ),
        (
            "yolo12-c3k2cot.yaml",
            {20: "C3k2CoT"},
            [f"No C3k2 at {p} in yolo12.yaml: nothing is replaced there." for p in ("P4", "P5", "neck.P4")],
        ),
    ],
)
def test_a_place_that_is_not_there_is_told_with_what_is_used_instead(name, rows, notes):
    text = text_of(name)
    assert new_rows(text) == rows
    assert [line[2:] for line in text.splitlines() if line.startswith("# No ")] == notes


@pytest.mark.parametrize(
    "name, message",
    [
        (
            "yolov8n-c3k2cot.yaml",
            r"yolov8\.yaml has no C3k2 at P4, P5, neck\.P4, neck\.P5 for C3k2CoT.*Use one of",
        ),
        (
            "yolo11-cot-outlook-cls-resnet18.yaml",
            "has no level left for OutlookAttention, so 'cot-outlook'",
        ),
    ],
)
def test_an_idea_that_does_not_fit_its_base_is_told(name, message):
    with pytest.raises(ValueError, match=message):
        YOLO(name)
    with pytest.raises(ValueError, match=message):
        find_model(name)


def test_an_idea_is_one_row_of_a_table():
    base = next(path for path in stock_files() if path.stem == "yolov8-pose")
    idea = Idea("mine", {"CoTBlock": "P3 neck.P5", "GatedConv": "neck.P3"}, {"gate": 0.0})
    text = base.read_text(encoding="utf-8")
    todo = plan(idea, yaml.safe_load(text), base.name)
    assert todo.notes == ["Idea mine: CoTBlock at P3, neck.P5; GatedConv at neck.P3."]
    made = yaml.safe_load(edit(text, base.name, todo.insertions, todo.swap).text)
    found = {row.index: (row.module, row.args) for row in rows_of(made) if row.module in idea.blocks}
    gated = [{"gate": 0.0}]
    assert found == {5: ("CoTBlock", gated), 17: ("GatedConv", gated), 24: ("CoTBlock", gated)}


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


@pytest.mark.parametrize("name", ["yolov8n-cot-seg.yaml", "yolo11n-cot.yaml"])
def test_insert_writes_the_same_text_where_the_user_wants_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edited = insert(name, "mine.yaml")
    assert (tmp_path / "mine.yaml").read_bytes() == find_model(name)[0].read_bytes() == edited.text.encode()
    assert {row.index: row.block for row in edited.rows} == new_rows(edited.text)


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


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A folder of settings that nothing was kept in yet."""
    monkeypatch.setattr(recipe_files, "USER_CONFIG_DIR", tmp_path / "settings")
    recipe_files._cache_folder.cache_clear()
    yield tmp_path / "settings"
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


@pytest.mark.parametrize(
    "name, task",
    [("yolov8n-cot-seg.yaml", "segment"), ("yolo11n-cot-cls.yaml", "classify"), ("yolov10n-outlook.yaml", "detect")],
)
def test_a_name_opens_as_its_base_does(name, task):
    yolo = YOLO(name)
    assert yolo.task == task
    assert yolo.model.yaml["yaml_file"] == name
    assert yolo.model.yaml["scale"] == "n"
    assert {row[2] for row in yolo.model.yaml["backbone"]} & {"CoTAttention", "OutlookAttention"}


def test_an_rtdetr_opens_by_its_own_class():
    rows = RTDETR("rtdetr-l-cot.yaml").model.yaml
    assert [row.module for row in rows_of(rows)].count("CoTAttention") == 2


def test_a_file_of_that_name_in_the_working_directory_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (config_dir() / "yolo11-outlook.yaml").read_text(encoding="utf-8")
    (tmp_path / "yolov8-cot.yaml").write_text(text, encoding="utf-8")
    assert "OutlookAttention" in str(YOLO("yolov8n-cot.yaml").model.yaml)
    assert find_model("yolov8n-cot.yaml")[0].resolve() == tmp_path / "yolov8-cot.yaml"


@pytest.mark.parametrize(
    "name, message",
    [
        ("yolo11-cot", "no model 'yolo11-cot'.*Did you mean 'yolo11-cot.yaml'"),
        ("yolo11n_cot.yaml", "no model 'yolo11n_cot.yaml'.*Did you mean 'yolo11n-cot.yaml'"),
        ("yolo11n-cott.yaml", "no model 'yolo11n-cott.yaml'.*Did you mean 'yolo11n-cot.yaml'"),
        ("yolov8n-cot-segment.yaml", "no model 'yolov8n-cot-segment.yaml'.*Did you mean 'yolov8n-cot-seg.yaml'"),
    ],
)
def test_yolo_names_what_was_typed_and_the_nearest_right_name(name, message):
    with pytest.raises(FileNotFoundError, match=message):
        YOLO(name)


@pytest.mark.parametrize("name", ["nowhere.yaml", "yolo11-sge.yaml", "some/folder/yolo11n-cott.yaml"])
def test_errors_of_other_names_are_ultralytics_own(name):
    with pytest.raises(FileNotFoundError) as error:
        YOLO(name)
    assert "Did you mean" not in str(error.value)


def test_names_are_unknown_again_without_the_package():
    yolo_cot.uninstall()
    try:
        with pytest.raises(FileNotFoundError, match=r"^'yolov8n?-cot.yaml' does not exist$"):
            YOLO("yolov8n-cot.yaml")
    finally:
        yolo_cot.install()


def test_a_stock_model_never_imports_what_makes_the_others():
    code = "import sys, yolo_cot\nfrom ultralytics import YOLO\nYOLO('yolov8n.yaml')\nprint(sorted(sys.modules))"
    said = python(code).stdout
    assert "yolo_cot.plugin.made_models" in said
    assert "yolo_cot.yaml_edit" not in said


def test_the_command_tells_a_wrong_name(tmp_path):
    done = here("train", "model=yolo11-cot", cwd=tmp_path, status=1)
    assert done.stderr.splitlines()[-1].startswith("yolo-cot: no model 'yolo11-cot'")
    assert done.stderr.strip().endswith("Did you mean 'yolo11-cot.yaml'?")
