"""The page of entry points names every hook, and no other."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from yolo_cot.plugin.hooks import HOOKS

TEXT = (ROOT / "docs" / "entry-points.md").read_text(encoding="utf-8")


def test_every_hook_has_its_row():
    """The second column of the table says what an entry point rests on."""
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|", TEXT.partition("## ")[0], re.M)
    assert len(rows) > 15
    named = set(re.findall(r"`(\w+_\w+|flops)`", "\n".join(rows))) - {"yolo_cot"}
    assert named == {hook.__name__ for hook in HOOKS}
