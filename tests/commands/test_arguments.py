"""The one reader of arguments: text becomes typed values, or one sentence that says what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from docs import tables
from tests.conftest import ROOT
from yolo_cot.commands.arguments import Rule, argument, at_least, comma_list, others, read
from yolo_cot.commands.arguments.tables import lines, markdown_table, print_help
from yolo_cot.commands.verbs import VERBS, load


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot try model=a.yaml"""

    model: str = argument("a model")
    imgsz: int = argument("side of the image", 640, rule=Rule("that is a multiple of 32", lambda n: n % 32 == 0))
    rate: float | None = argument("a rate", None)
    fused: bool = argument("fuse first", False)
    out: Path = argument("a folder", Path("runs/try"))
    split: str = argument("what is measured", "val", choices=("val", "test"))
    level: tuple[str, ...] = argument("levels", ("P3", "P4"), choices=("P3", "P4", "P5"))
    batch: tuple[int, ...] = argument("batches", (1,), rule=at_least(1))
    size: tuple[int, int] = argument("width|height", (1, 1), read=lambda text: tuple(map(int, text.split("x"))))
    extra: dict[str, Any] = others("any train argument", known=("epochs", "lr0", "name", "freeze"))


@dataclass(frozen=True, kw_only=True)
class Free:
    """yolo-cot free"""

    base: str | None = argument("a base", None)
    extra: dict[str, Any] = others("an argument of the block")


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """yolo-cot nothing"""


def test_what_is_not_given_has_its_default():
    assert read(Arguments, ["model=a.yaml"]) == Arguments(model="a.yaml")
    assert read(Nothing, []) == Nothing()


@pytest.mark.parametrize(
    "word, name, value",
    [
        ("imgsz=320", "imgsz", 320),
        ("imgsz = 320", "imgsz", 320),
        ("--imgsz=320", "imgsz", 320),
        ("rate=1e-3", "rate", 0.001),
        ("rate=None", "rate", None),
        ("fused=true", "fused", True),
        ("out=1e3", "out", Path("1e3")),
        ("level=P3", "level", ("P3",)),
        ("level=P5,P3", "level", ("P5", "P3")),
        ("level=['P5', 'P3']", "level", ("P5", "P3")),
        ("batch=(1,8)", "batch", (1, 8)),
        ("size=3x4", "size", (3, 4)),
    ],
)
def test_a_text_becomes_what_its_declaration_says(word, name, value):
    given = getattr(read(Arguments, ["model=a", *word.split(" ")]), name)
    assert given == value
    assert type(given) is type(value)


def test_a_word_alone_is_the_first_argument():
    assert read(Arguments, ["fused=True", "a.yaml"]).model == "a.yaml"
    with pytest.raises(ValueError, match=r"yolo-cot try takes arguments as key=value; got 'b\.yaml'\. Example: "):
        read(Arguments, ["a.yaml", "b.yaml"])


def test_names_that_are_not_declared_are_read_as_ultralytics_reads_them():
    given = read(Arguments, ["a.yaml", "epochs=3", "lr0=1e-3", "name=3", "freeze=[1,2]"])
    assert given.extra == {"epochs": 3, "lr0": 0.001, "name": "3", "freeze": [1, 2]}
    assert read(Free, ["gate=0.0", "e=x"]).extra == {"gate": 0.0, "e": "x"}


@pytest.mark.parametrize(
    "words, message",
    [
        ([], r"yolo-cot try needs model=, a model\. Example: yolo-cot try model=a\.yaml$"),
        (["a", "imgsz=x"], "yolo-cot try needs imgsz as a whole number that is a multiple of 32; got imgsz=x"),
        (["a", "imgsz=33"], "multiple of 32; got imgsz=33"),
        (["a", "imgsz=32.0"], "as a whole number .* got imgsz=32.0"),
        (["a", "rate=nan"], "needs rate as a number; got rate=nan"),
        (["a", "fused=2"], "needs fused as True or False; got fused=2"),
        (["a", "split=tset"], "needs split as one of val, test; got split=tset"),
        (["a", "level=P3,P6"], "level as one of P3, P4, P5, or several with commas between them; got level=P3,P6"),
        (["a", "level=[]"], r"got level=\[\]"),
        (["a", "batch=1,0"], "batch as a whole number of at least 1, or several .*; got batch=1,0"),
        (["a", "out="], "needs out as a path; got out=$|got out=. Example"),
        (["a", "imgzs=320"], "has no argument 'imgzs'. Did you mean 'imgsz'?"),
        (["a", "epoch=3"], "has no argument 'epoch'. Did you mean 'epochs'?"),
        (["a", "zzz=3"], "has no argument 'zzz'. Example: "),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(words, message):
    with pytest.raises(ValueError, match=message) as error:
        read(Arguments, words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["model=x", "x"])
def test_a_verb_without_arguments_says_so(word):
    with pytest.raises(ValueError, match=r"yolo-cot nothing takes no arguments; got '(model|x)'\."):
        read(Nothing, [word])


def test_a_list_is_read_with_brackets_and_quotes_or_without():
    for text in ("a,b", "[a, b]", "('a', 'b')", '"a","b",', " a , b "):
        assert comma_list(text) == ["a", "b"]


def test_help_and_table_name_every_argument(capsys):
    print_help("try it.", Arguments)
    printed = capsys.readouterr().out
    table = markdown_table(Arguments).splitlines()
    assert len(table) == 2 + len(lines(Arguments))
    for line in lines(Arguments):
        assert line.name in printed
    assert "| `model` | needed | a model |" in table
    assert "| `level` | `P3,P4` | levels: P3, P4, P5 |" in table
    assert "| `out` | `runs/try` | a folder |" in table
    assert r"width\|height" in table[10]
    assert "Example: yolo-cot try model=a.yaml" in printed


def test_the_docs_have_a_table_of_every_verb_as_it_declares_its_arguments():
    found = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert tables.with_arguments(text) == text, f"{page.name}: run  python -m docs.tables"
        # A page in another language repeats those of the English one.
        if not page.name.endswith(".zh.md"):
            found += re.findall(r"<!-- arguments: (\w+) -->\n\| argument", text)
    assert sorted(found) == sorted(verb for verb in VERBS if lines(load(verb).Arguments))


def test_a_table_that_differs_is_found():
    page = "<!-- arguments: bundle -->\n| argument |\n<!-- arguments: end -->\n"
    assert "| `model` | needed | the checkpoint |" in tables.with_arguments(page)
