"""The READMEs: short, equal in both languages, true of what the files say, and their commands run."""

from __future__ import annotations

import re

import pytest

from docs import tables
from tests.conftest import ROOT
from tests.docs.pages import blocks, code, headings, links, structure
from tests.docs.runner import Place
from yolo_cot.commands.verbs import VERBS

TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")}
SET_UP = {
    "main command": 'python3 -m venv .venv && .venv/bin/python -m pip install -q -e ".[export]" && '
    ".venv/bin/python train_det.py",
    "test command": 'python3 -m venv "${VENV:=.venv}" && "$VENV/bin/python" -m pip install -q -e ".[dev]" && '
    '"$VENV/bin/python" -m pytest -q -n 2',
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_readme_has_at_most_140_lines(name):
    assert len(TEXTS[name].splitlines()) <= 140


def test_both_languages_have_the_same_structure_commands_and_links():
    english, chinese = TEXTS.values()
    assert structure(english) == structure(chinese)
    assert code(english) == code(chinese)
    assert len(headings(english)) == len(headings(chinese)) > 6
    swap = {"README.md": "README.zh-CN.md"}
    assert sorted(links(english)) == sorted(swap.get(link, link) for link in links(chinese))


def test_the_comparison_sees_a_missing_row_and_another_command():
    english = TEXTS["README.md"]
    shorter = re.sub(r"^\| `yolo-cot lint`.*\n", "", english, flags=re.M)
    assert structure(english) != structure(shorter)
    assert code(english) != code(english.replace("at=P5,neck.P4", "at=P5"))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("mark", SET_UP)
def test_the_set_up_commands_are_where_ci_reads_them(name, mark):
    (found,) = [block for block in blocks(TEXTS[name]) if block.mark == mark]
    assert (found.language, found.text) == ("bash", SET_UP[mark])


@pytest.mark.parametrize("name", TEXTS)
def test_the_table_of_commands_names_every_command(name):
    rows = re.findall(r"^\| (`yolo-cot .*?) \|", TEXTS[name], re.M)
    assert set(re.findall(r"yolo-cot (\w+)", " ".join(rows))) == set(VERBS)


@pytest.mark.parametrize("name", TEXTS)
def test_the_table_of_results_is_made_from_the_files(name):
    text = TEXTS[name]
    assert text.partition(tables.START)[2].partition(tables.END)[0] == tables.results(name), "python -m docs.tables"


def test_the_table_of_results_follows_its_sources(monkeypatch):
    monkeypatch.setattr(tables, "times", lambda: {("yolo11n-cot", "PyTorch"): "9.99"})
    assert "| 9.99 / not measured |" in tables.results("README.md")


@pytest.mark.parametrize("mark", [pytest.param("readme python", marks=pytest.mark.slow), "readme commands"])
def test_the_lines_work_as_typed_with_short_trainings(mark, tmp_path, monkeypatch):
    place = Place(tmp_path, monkeypatch)
    (block,) = [block for block in blocks(TEXTS["README.md"]) if block.mark == mark]
    assert len(block.text.splitlines()) <= 6
    place.run(block)
    assert list(tmp_path.glob("runs/detect/*/weights/best.onnx"))
