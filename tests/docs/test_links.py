"""No link between the pages is dead, and every page can be reached from the README."""

from __future__ import annotations

import pytest

from docs.site.hooks import ELSEWHERE
from tests.conftest import ROOT
from tests.docs.pages import PAGES, anchors, links, named


def dead(page, text: str) -> list[str]:
    """The links of a page whose file or heading is not there."""
    missing = []
    for link in links(text):
        if link.startswith(("http://", "https://")) or link.endswith("app/"):  # the demo is built into the site
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if anchor in {"only-light", "only-dark"}:
            anchor = ""
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            missing.append(link)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_has_a_target(page):
    assert not dead(page, page.read_text(encoding="utf-8"))


def test_a_dead_link_and_a_dead_heading_are_found():
    page = ROOT / "README.md"
    text = "[a](docs/none.md) [b](docs/blocks.md#none) [c](docs/blocks.md#cotattention) ![d](#more)"
    assert dead(page, text) == ["docs/none.md", "docs/blocks.md#none"]


@pytest.mark.parametrize("start", ["README.md", "README.zh-CN.md"])
def test_every_page_is_reached_from_a_readme(start):
    waiting, seen = [ROOT / start], set()
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        found = [link.partition("#")[0] for link in links(page.read_text(encoding="utf-8"))]
        waiting += [(page.parent / link).resolve() for link in found if link.endswith(".md") and "://" not in link]
    # The site fills some pages with files from elsewhere, and finds translations by itself.
    own_text = {page for page in PAGES if page.name not in ELSEWHERE and not page.name.endswith(".zh.md")}
    assert own_text - {ROOT / "README.zh-CN.md"} <= seen | {ROOT / "README.md"}
