"""Read the pages: blocks of code, headings and links; and what a test shortens in a command before it runs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

NETWORK = "needs a network"
# Pages for people: those of the docs, and those of the checkout that belong to them.
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "datasets").glob("*.md")])
# What a training takes in a test: seconds, and nothing that depends on the machine.
SMALL = {"batch": "4", "workers": "0", "plots": "False", "amp": "False", "device": "cpu"}
SHORT = {"epochs": "1", "imgsz": "64", "seeds": "2", "rounds": "1", "device": "cpu", "batch": "4", "vid_stride": "100"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the HTML comment in the line above it, its text, and the line where it begins."""

    language: str
    mark: str
    text: str
    line: int

    def lines(self) -> list[list[str]]:
        """The words of every command, without comments; `a && b` are two commands."""
        found = []
        for line in self.text.replace("\\\n", " ").splitlines():
            for command in line.split(" && "):
                if words := shlex.split(command, comments=True):
                    found.append(words)
        return found


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    lines = text.splitlines()
    opened: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if opened is None:
            mark = re.fullmatch(r"<!-- (.+) -->", lines[number - 1].strip()) if number else None
            opened = (number, line.strip("` "), mark[1] if mark else "")
        else:
            start, language, comment = opened
            yield Block(language, comment, "\n".join(lines[start + 1 : number]), start + 1)
            opened = None


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of every heading."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.+)$", outside, re.M)]


def anchors(text: str) -> set[str]:
    """The anchors that headings get on the site and on the web view of the repository alike."""
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in headings(text)}


def links(text: str) -> list[str]:
    """The targets of links and pictures, outside of code."""
    outside = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.M | re.S)
    return re.findall(r"\]\(([^)\s]+)\)", outside) + re.findall(r'(?:src|srcset|href)="([^"]+)"', outside)


def structure(text: str) -> list[str]:
    """What both languages share: the order of headings, blocks, tables by their size, pictures and links."""
    found = []
    for line in text.splitlines():
        if heading := re.match(r"#+ ", line):
            found.append(heading[0])
        elif line.startswith(("```", "<!--", "<source")):
            found.append(line)
        elif line.startswith("|"):
            found.append(f"row of {line.count(' | ') + 1}")
    return found


def code(text: str) -> list[tuple[str, str]]:
    """Every block without its comments."""
    return [(block.mark, re.sub(r"\s*# .*", "", block.text)) for block in blocks(text)]


def shortened(words: list[str]) -> list[str]:
    """A command with what makes it long replaced: one epoch, small pictures, one seed, the first two models."""
    given = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    changed = {key: SHORT[key] for key in given if key in SHORT}
    if "models" in given:
        changed["models"] = ",".join(given["models"].split(",")[:2])
    if "attention" in words:
        changed |= {"imgsz": "64"}
    if "bench" in words:
        changed |= {"imgsz": "64"} if "model" in given else {"scale": "n", "level": "P5", "batch": "1"}
        # One of several, for each is measured in processes of its own.
        changed |= {key: given[key].split(",")[0] for key in ("model", "block") if key in given}
    if "train" in words or ("ablate" in words and "plan" not in given):
        changed |= {key: value for key, value in SMALL.items() if key not in changed}
        changed |= {key: SHORT[key] for key in ("epochs", "imgsz")}  # Ultralytics' own are 100 and 640
    if "ablate" in words and "plan" not in given:
        changed |= {"controls": "False", "any_budget": "True"}
    if "plan" in given and "sd" not in given:
        changed["sd"] = "0.6"  # after one epoch all seeds are alike: at 0
    kept = [word for word in words if word.partition("=")[0] not in changed]
    return [*kept, *(f"{key}={value}" for key, value in changed.items())]


def named(path: Path) -> str:
    """A page's name for test ids."""
    return str(path.relative_to(ROOT))
