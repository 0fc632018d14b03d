"""Pages of the site that stand elsewhere in the checkout: the README is the first page, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Page of the site -> file of the checkout.
ELSEWHERE = {
    "index.md": "README.md",
    "index.zh.md": "README.zh-CN.md",
    "data.md": "datasets/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
_SITE = {file: page for page, file in ELSEWHERE.items()}


def site_text(file: str) -> str:
    """The text of a file of the checkout, with its links as the site needs them.

    Links to pages of the site stay links; a link to another file of the checkout becomes its name as code.
    """
    path = ROOT / file

    def target(link: str) -> str | None:
        name, hash_mark, anchor = link.partition("#")
        if "://" in link or not name:
            return link
        relative = (path.parent / name).resolve().relative_to(ROOT).as_posix()
        page = _SITE.get(relative) or (relative.removeprefix("docs/") if relative.startswith("docs/") else None)
        # The plugin for languages finds the page in the reader's language by itself.
        return None if page is None else f"{page.replace('index.zh.md', 'index.md')}{hash_mark}{anchor}"

    def link(match: re.Match) -> str:
        words, where = match[1], target(match[2])
        return f"[{words}]({where})" if where else f"`{words.strip('`')}`"

    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^\[(?:English|简体中文)\]\(.*\)\n\n", "", text, flags=re.M)  # the site has a switch of its own
    text = re.sub(r"<picture>.*?</picture>", _picture, text, flags=re.S)
    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", link, text)


def _picture(match: re.Match) -> str:
    """A picture of the README in the site's words for light and dark pages."""
    words = re.search(r'alt="([^"]+)"', match[0])
    files = re.findall(r'src(?:set)?="docs/([^"]+)"', match[0])
    dark, light = sorted(files)
    return f"![{words[1] if words else ''}]({light}#only-light)![{words[1] if words else ''}]({dark}#only-dark)"


def on_page_markdown(markdown, page, config, files):
    """Put the text of the file in the place of the page that names it."""
    file = ELSEWHERE.get(page.file.src_uri)
    return site_text(file) if file else markdown
