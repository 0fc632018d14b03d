"""A page in Chinese has the same headings, tables, code and links as the English one."""

from __future__ import annotations

import re

import pytest

from docs.site.hooks import ELSEWHERE
from tests.conftest import ROOT
from tests.docs.pages import code, links, named, structure

PAGES = [page for page in sorted((ROOT / "docs").glob("*.zh.md")) if page.name not in ELSEWHERE]


def english(page):
    return page.with_name(page.name.replace(".zh.md", ".md"))


def same_target(link: str) -> str:
    """A link without what differs by the language's folder, and without the anchor of a heading."""
    return re.sub(r"^(\.\./)+demo/", "", link).partition("#")[0]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_translation_has_the_pages_structure(page):
    texts = [file.read_text(encoding="utf-8") for file in (english(page), page)]
    assert structure(texts[0]) == structure(texts[1])
    assert code(texts[0]) == code(texts[1])
    assert sorted(map(same_target, links(texts[0]))) == sorted(map(same_target, links(texts[1])))
    assert len(re.findall(r"[一-鿿]", texts[1])) > 100


def test_translations_are_found_and_a_missing_row_is_seen():
    assert len(PAGES) > 4
    text = english(PAGES[0]).read_text(encoding="utf-8")
    assert structure(text) != structure(re.sub(r"^\|.*\n", "", text, count=1, flags=re.M))
