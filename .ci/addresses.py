"""Write the repository's address into what a release carries: `python .ci/addresses.py REPOSITORY DOCS TAG`.

The checkout does not know where it is published. The package index shows the README without the files beside it, so
its links must be absolute there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def urls(repository: str, docs: str) -> str:
    """The table of addresses for pyproject.toml."""
    return (
        "[project.urls]\n"
        f'Homepage = "{repository}"\n'
        f'Documentation = "{docs}"\n'
        f'Changelog = "{repository}/blob/main/CHANGELOG.md"\n'
        f'Issues = "{repository}/issues"\n\n'
    )


def absolute(text: str, repository: str, tag: str) -> str:
    """A README with its links to files of the checkout made absolute; pictures get the address of the file itself."""

    def page(match: re.Match) -> str:
        link = match[1]
        return match[0] if "://" in link or link.startswith("#") else f"]({repository}/blob/{tag}/{link})"

    text = re.sub(r"\]\(([^)\s]+)\)", page, text)
    return re.sub(r'(src|srcset)="(?!https?:)([^"]+)"', rf'\1="{repository}/raw/{tag}/\2"', text)


def main() -> None:
    """Change pyproject.toml and README.md in place."""
    repository, docs, tag = sys.argv[1:]
    project, readme = ROOT / "pyproject.toml", ROOT / "README.md"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("[project.scripts]\n", urls(repository, docs) + "[project.scripts]\n"), "utf-8")
    readme.write_text(absolute(readme.read_text(encoding="utf-8"), repository, tag), encoding="utf-8")


if __name__ == "__main__":
    main()
