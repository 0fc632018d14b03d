"""The docs site builds without a warning, in both languages, and no link of its pages is dead."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
import yaml

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess:
    """Build the site into a folder. (Quietly, a strict build would not count its warnings.)"""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(folder)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    pytest.importorskip("material", reason='the docs site needs pip install "yolo-cot[docs]"')
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key in {"href", "src"} and value:
                self.links.append(value)
            elif key in {"id", "name"} and value:
                self.anchors.add(value)


def dead(site: Path) -> list[str]:
    """Every link within the site that leads nowhere, behind the page that has it."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in site.rglob("*.html") if file.name != "404.html"}
    found = []
    for file, page in pages.items():
        for link in page.links:
            if ":" in link.split("/")[0] or link.endswith("app/"):  # the demo is built into the site afterwards
                continue
            address, anchor = urldefrag(urljoin(f"/{file.relative_to(site).as_posix()}", link))
            target = site / unquote(address).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (target in pages and unquote(anchor) not in pages[target].anchors):
                found.append(f"{file.relative_to(site)}: {link}")
    return found


def test_no_link_of_the_site_is_dead(site):
    assert len(list(site.rglob("*.html"))) > 30
    assert not dead(site)


def test_every_page_is_there_in_both_languages(site):
    english = {file.relative_to(site) for file in site.rglob("*.html") if file.relative_to(site).parts[0] != "zh"}
    chinese = {file.relative_to(site / "zh") for file in (site / "zh").rglob("*.html")}
    assert english - {Path("404.html")} == chinese
    assert "五行命令" in (site / "zh" / "index.html").read_text(encoding="utf-8")


def test_the_api_page_shows_the_blocks_arguments(site):
    text = (site / "api" / "index.html").read_text(encoding="utf-8")
    assert "yolo_cot.nn.OutlookAttention" in text
    assert "num_heads" in text


def test_the_search_index_knows_both_languages(site):
    text = json.dumps(json.loads((site / "search" / "search_index.json").read_text()), ensure_ascii=False)
    assert "Embedding bags" in text or "embedding bags" in text
    assert "门控" in text


def test_a_dead_link_fails_the_build(tmp_path):
    pytest.importorskip("material")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[nowhere](none.md) [here](index.md#none)\n")
    loaded = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8").replace("!ENV", ""))
    kept = {key: loaded[key] for key in ("site_name", "docs_dir", "strict", "validation")}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(kept))
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode != 0
    assert "none.md" in done.stderr
    assert "#none" in done.stderr


def test_a_dead_link_of_the_site_is_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<a href="a/">a</a> <a href="a/#top">b</a> <a href="c.html">c</a>')
    (tmp_path / "a" / "index.html").write_text('<p id="top"><img src="../none.svg">')
    assert dead(tmp_path) == ["index.html: c.html", "a/index.html: ../none.svg"]
