"""The pages name files and folders that are there, and use the field's own words."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.docs.pages import PAGES, named

TOPS = ("yolo_cot/", "tests/", "docs/", "cfg/", "datasets/")
ROOMS = tuple(f"{path.name}/" for path in (ROOT / "yolo_cot").iterdir() if path.is_dir())
# Words that only this project used, or that say a thing in a picture.
JARGON = re.compile(r"\b(doors?|seats?|seated|steps back|stepped back|looks on|brick)\b", re.I)


def paths_named(text: str) -> set[str]:
    """Code spans that are a path of the checkout, or one of the package."""
    spans = re.findall(r"`([\w./-]+)`", text)
    inside = {f"yolo_cot/{span}" for span in spans if span.startswith(ROOMS) and span.endswith((".py", "/"))}
    return {span for span in spans if span.startswith(TOPS)} | inside


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_a_page_names_are_there(page):
    missing = [name for name in paths_named(page.read_text(encoding="utf-8")) if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_uses_the_fields_own_words(page):
    assert not JARGON.findall(page.read_text(encoding="utf-8"))


def test_pages_are_found_and_the_checks_can_fail():
    assert len(PAGES) > 10
    assert paths_named("`yolo_cot/a.py`, `docs/`, `nn/b.py`") == {"yolo_cot/a.py", "docs/", "yolo_cot/nn/b.py"}
    assert JARGON.findall("every door steps back") == ["door", "steps back"]
