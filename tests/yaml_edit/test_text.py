"""The edits on a YAML's text: rows come in, indices and names change, all else stays as typed."""

from __future__ import annotations

import re

import pytest
import yaml

from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.insert import insert
from yolo_cot.yaml_edit.text import ModelText

# The same five rows in every way that YAML has to write them.
DASHES = """\
nc: 2 # classes
backbone:
  # [from, repeats, module, args]
  - [-1, 1, Conv, [8, 3, 2]] # 0-P1/2
  - [-1, 1, Conv, [8, 3, 1]]

head:
  - [[-1, 0], 1, Concat, [1]] # joined
  - [-1, 1, Conv, [8, 1]] # 3 (P1/2)
  - [[3], 1, Detect, [nc]]
"""
NESTED = """\
nc: 2
backbone:
- - -1
  - 1
  - Conv
  - [8, 3, 2]
- - -1
  - 1
  - Conv
  - - 8
    - 3
    - 1
head:
- - [-1, 0]
  - 1
  - Concat
  - [1]
- [-1, 1, Conv, [8, 1]]
- - - 3
  - 1
  - Detect
  - - nc
"""
BRACKETS = """\
nc: 2
backbone:
  # [from, number, module, args]
  [[-1, 1, Conv, [8, 3, 2]],  # 0-P1/2
   [-1, 1, Conv, [8, 3, 1]],  # 1
  ]
head:
  [[[-1, 0], 1, Concat, [1]],
   [-1, 1, Conv, [8, 1]], # 3
   [[3], 1, Detect, [nc]] # 4
  ]
"""
ONE_LINE = """\
nc: 2
backbone: [[-1, 1, Conv, [8, 3, 2]], [-1, 1, Conv, [8, 3, 1]]]
head: [[[-1, 0], 1, Concat, [1]], [-1, 1, Conv, [8, 1]], [[3], 1, Detect, [nc]]]
"""
LAYOUTS = {"dashes": DASHES, "nested": NESTED, "brackets": BRACKETS, "one line": ONE_LINE}


def edited(text: str, at: str, tmp_path, **arguments) -> str:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode())
    return insert(path, block="CoTAttention", at=at, arguments=arguments).text


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "at", ["0", "1", "2", "3", "before=1", "before=Concat", "before=Detect", "0,1,2,3,before=Detect"]
)
def test_every_layout_gets_the_same_rows(layout, at, tmp_path):
    expected = yaml.safe_load(edited(DASHES, at, tmp_path, gate=0.0))
    assert yaml.safe_load(edited(LAYOUTS[layout], at, tmp_path, gate=0.0)) == expected


def test_the_rows_are_the_ones_that_were_asked_for(tmp_path):
    model = yaml.safe_load(edited(DASHES, "0,before=Detect", tmp_path, gate=0.0))
    gated = ["CoTAttention", [{"gate": 0.0}]]
    assert model["backbone"] == [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, *gated], [-1, 1, "Conv", [8, 3, 1]]]
    assert model["head"] == [
        [[-1, 1], 1, "Concat", [1]],
        [-1, 1, "Conv", [8, 1]],
        [-1, 1, *gated],
        [[5], 1, "Detect", ["nc"]],
    ]


def test_comments_stay_and_those_that_number_a_row_follow_it(tmp_path):
    text = edited(DASHES, "0", tmp_path)
    assert "nc: 2 # classes\n" in text
    assert "  # [from, repeats, module, args]\n" in text
    assert "[8, 3, 2]] # 0-P1/2\n  - [-1, 1, CoTAttention, []] # 1\n" in text
    assert "[[-1, 1], 1, Concat, [1]] # joined\n" in text
    assert "[8, 1]] # 4 (P1/2)\n" in text


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("text", [BRACKETS, DASHES])
def test_line_ends_stay_as_they_are(text, end, tmp_path):
    other = edited(text.replace("\n", end), "1,3", tmp_path)
    assert set(re.findall(r"\r\n|\r|\n", other)) == {end}
    assert other.replace(end, "\n") == edited(text, "1,3", tmp_path)


def test_comments_of_bracketed_rows_stay_beside_them(tmp_path):
    text = edited(BRACKETS, "1,3", tmp_path)
    assert "[8, 3, 1]],  # 1\n   [-1, 1, CoTAttention, []],\n" in text
    assert "[8, 1]], # 4\n   [-1, 1, CoTAttention, []],\n" in text


@pytest.mark.parametrize("path", stock_files(), ids=lambda p: p.stem)
def test_stock_texts_are_read_where_they_stand_and_stay_untouched(path):
    text = path.read_bytes().decode()
    model = ModelText(text, path.name)
    assert model.edited() == text
    for place, row in zip(model.rows, rows_of(model.values)):
        assert yaml.safe_load(text[slice(*place.span)])[2:] == [row.module, row.args]
        assert [int(text[slice(*s)]) for s in place.sources] == list(row.written)


@pytest.mark.parametrize(
    "text, message",
    [
        ("nc: [", "mine.yaml is not valid YAML"),
        ("nc: 2", "is no model YAML: it needs 'backbone' and 'head'"),
        (DASHES.replace("[-1, 1, Conv, [8, 1]]", "[-1, 1, Conv]"), r"head row 1 must be \[from, .*got \[-1, 1, Conv\]"),
        (DASHES.replace("[[-1, 0]", "[[-1, x]"), "head row 0: 'from' must be a whole number"),
        (
            DASHES.replace("[[-1, 0]", '[["-1", 0]'),
            r'head row 0: .from. must be.* not quoted.*got \["-1"',
        ),
        (DASHES.replace("- [-1, 1, Conv, [8, 3, 1]]", "- &r [-1, 1, Conv, [8, 3, 1]]\n  - *r"), r"line 6: .*alias \*r"),
        (
            DASHES.replace("[8, 3, 2]]", "&a [8, 3, 2]]").replace("[8, 3, 1]", "*a"),
            r"line 5: .*alias \*a",
        ),
        ("x: &f -1\n" + DASHES.replace("[[-1, 0]", "[[*f, 0]"), r"line 9: a row has the YAML alias \*f; write out"),
        (
            "x: &h [[-1, 1, Conv, [8]]]\nbackbone: *h\nhead: [[-1, 1, Conv, [8]]]",
            "its backbone from a YAML alias",
        ),
    ],
)
def test_what_cannot_be_edited_is_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        ModelText(text, "mine.yaml")
