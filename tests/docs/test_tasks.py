"""The page of tasks and bases names every idea, and its names open as it says."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.yaml_edit.test_recipe_sweep import FIVE
from tests.yaml_edit.test_recipe_training import BASES, EVERY, FAMILIES
from yolo_cot.yaml_edit.recipe_names import recipe_named
from yolo_cot.yaml_edit.recipes import IDEAS

TEXT = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `([\w-]+\.yaml)` \| (.+) \|$", TEXT, re.M)
TASKS = {"segmentation": "segment", "rotated boxes": "obb", "key points": "pose"}


def test_the_table_of_ideas_is_complete():
    section = TEXT.split("## Ideas\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", section, re.M)
    assert sorted(re.findall(r"`([\w-]+)`", " ".join(cells))) == sorted(IDEAS)


@pytest.mark.parametrize("name, what", EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_what_the_page_says(name, what):
    recipe = recipe_named(name)
    assert recipe is not None
    assert recipe.task == next((task for words, task in TASKS.items() if words in what), "detect")
    blocks = set(recipe.idea.blocks)
    assert blocks <= {"CoTAttention", "OutlookAttention", "CoTBlock"}
    assert all(block in what or (block == "CoTBlock" and "CoT block" in what) for block in blocks)


def test_there_are_examples():
    assert len(EXAMPLES) > 5


def test_the_table_of_what_is_tested_names_what_the_tests_train():
    section = TEXT.split("## What is tested\n")[1].split("\n## ")[0]
    told = {base.lower(): tasks.split(", ") for base, tasks in re.findall(r"^\| (YOLO\w+) \| (.+?) \|", section, re.M)}
    assert set(told) == set(FAMILIES)
    for family, tasks in told.items():
        trained = {BASES[recipe.base.stem] for recipe in EVERY if recipe.base.stem.split("-")[0] == family}
        assert trained in (set(tasks), set())  # an old release has no YOLO26
    ideas = section.split("five ideas each (")[1].split(")")[0]
    assert re.findall(r"`([\w-]+)`", ideas) == list(FIVE)
