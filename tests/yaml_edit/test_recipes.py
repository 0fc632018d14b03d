"""Recipes: the places of an idea in a base, and the text that comes of it."""

from __future__ import annotations

import re

import pytest
import yaml
from ultralytics import YOLO

from yolo_cot.paths import config_dir
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit import recipe_files
from yolo_cot.yaml_edit.edit import edit
from yolo_cot.yaml_edit.files import find_model
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.insert import insert
from yolo_cot.yaml_edit.recipe_names import recipe_named
from yolo_cot.yaml_edit.recipe_places import plan
from yolo_cot.yaml_edit.recipes import IDEAS, Idea

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


@pytest.mark.parametrize("name", ["yolov8n-cot-seg.yaml", "yolo11n-cot.yaml"])
def test_insert_writes_the_same_text_where_the_user_wants_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edited = insert(name, "mine.yaml")
    assert (tmp_path / "mine.yaml").read_bytes() == find_model(name)[0].read_bytes() == edited.text.encode()
    assert {row.index: row.block for row in edited.rows} == new_rows(edited.text)
