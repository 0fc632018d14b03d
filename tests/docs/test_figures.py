"""The figures of the docs are what their scripts draw, for light and for dark pages."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from docs.figures.__main__ import FIGURES, FOLDER
from docs.figures.canvas import THEMES, Canvas
from tests.conftest import ROOT


def test_every_file_has_a_script_and_every_script_a_file():
    drawn = {f"{name}-{theme}.svg" for name in FIGURES for theme in THEMES}
    assert drawn == {path.name for path in FOLDER.glob("*.svg")}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", FIGURES)
def test_a_file_is_what_its_script_draws(name, theme):
    text = FIGURES[name](theme).svg()
    assert (FOLDER / f"{name}-{theme}.svg").read_text(encoding="utf-8") == text, "run: python -m docs.figures"
    root = ET.fromstring(text)
    assert root.get("aria-label")


@pytest.mark.parametrize("name", FIGURES)
def test_files_that_a_figure_names_are_there(name):
    root = ET.fromstring(FIGURES[name]("light").svg())
    words = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    missing = [word for word in words if word.endswith(".py") and not (ROOT / "yolo_cot" / word).is_file()]
    assert not missing


def test_a_text_that_does_not_fit_its_box_is_refused():
    with pytest.raises(ValueError, match="needs a box of"):
        Canvas(100, 100, "too long", "light").box(50, 50, 60, 30, "a text that is too long")
