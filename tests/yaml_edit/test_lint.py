"""lint: every published-style mistake is caught with its row and what to do; what is right is left alone."""

from __future__ import annotations

import pytest
import yaml

from yolo_cot.paths import configs
from yolo_cot.plugin.stock import ROOT, stock_files
from yolo_cot.yaml_edit.base import find_base
from yolo_cot.yaml_edit.insert import insert
from yolo_cot.yaml_edit.lint import lint

HEAD = "[[16, 19, 22], 1, Detect, [nc]]"
STOCK_TEXT = (ROOT / "cfg" / "models" / "11" / "yolo11.yaml").read_text(encoding="utf-8")
ATTENTION = "  - [-1, 1, CoTAttention, []]\n"


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each change made; every one must fit once."""
    for old, new in changes:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text


def behind(marker: str, row: str = ATTENTION) -> tuple[str, str]:
    """A change that puts a row behind the line that ends in `marker`, and moves nothing."""
    line = next(line for line in STOCK_TEXT.splitlines(keepends=True) if line.rstrip().endswith(marker))
    return line, line + row


# name: (changes to yolo11.yaml, the file's name, [(row or None, words that its fault must hold)])
MISTAKES = {
    "a row put in the backbone, nothing moved": (
        [behind("# 10")],
        "mine.yaml",
        [
            (
                19,
                "reads row 13 (Concat); the row that it reads in yolo11.yaml now gives its output as row 14 (C3k2)",
                "Write 14 for 13",
            ),
            (
                22,
                "reads row 10 (C2PSA); the row that it reads in yolo11.yaml now gives its output as row 11",
                "Write 11 for 10",
            ),
            (24, "Detect", "Write 17 for 16"),
            (24, "Detect", "Write 20 for 19"),
            (24, "Detect", "Write 23 for 22"),
        ],
    ),
    "the Concats moved, the head not": (
        [behind("# 10"), ("[[-1, 13]", "[[-1, 14]"), ("[[-1, 10]", "[[-1, 11]")],
        "mine.yaml",
        [(24, "not moved along", "Write 17 for 16"), (24, "not moved along", "Write 23 for 22")],
    ),
    "a row put in early, skips from the backbone not moved": (
        [
            behind("# 3-P3/8"),
            ("[[-1, 13]", "[[-1, 14]"),
            ("[[-1, 10]", "[[-1, 11]"),
            ("[16, 19, 22]", "[17, 20, 23]"),
        ],
        "mine.yaml",
        [(13, "reads row 6 (Conv)", "Write 7 for 6"), (16, "reads row 4 (CoTAttention)", "Write 5 for 4")],
    ),
    "an own architecture, skip of another size": (
        [("[256, False, 0.25]", "[256, True, 0.5]"), ("[[-1, 6], 1", "[[-1, 5], 1"), ("[[-1, 4], 1", "[[-1, 6], 1")],
        "mine.yaml",
        [(15, "row 14 (nn.Upsample) has stride 8, row 6 (C3k2) has stride 16", "rows of stride 8: [3, 4]")],
    ),
    "an own architecture, head on raw rows": (
        [("[256, False, 0.25]", "[256, True, 0.5]"), ("[16, 19, 22]", "[15, 18, 21]")],
        "mine.yaml",
        [
            (23, "reads row 15 (Concat), which no block has worked on yet", "Read row 16 (C3k2) instead"),
            (22, "nobody reads it", "Remove it, or read it"),
        ],
    ),
    "an own architecture, a Concat of a Concat": (
        [("[256, False, 0.25]", "[256, True, 0.5]"), ("[[-1, 13], 1", "[[-1, 12], 1")],
        "mine.yaml",
        [(18, "reads row 12 (Concat), a Concat that no block has worked on yet", "Read row 13 (C3k2) instead")],
    ),
    "attention at the end that the head passes by": (
        [behind("# 22 (P5/32-large)")],
        "mine.yaml",
        [(23, "nobody reads it", "or read it")],
    ),
    "channels given as for older tutorials' blocks": (
        [behind("# 22 (P5/32-large)", "  - [-1, 1, CoTAttention, [1024]]\n"), (HEAD, HEAD.replace("22", "23"))],
        "mine.yaml",
        [(23, "takes its channels from its input, and the row gives none; got 1024. Remove it", "")],
    ),
    "heads that do not divide the scaled channels": (
        [
            behind("# 22 (P5/32-large)", "  - [-1, 1, OutlookAttention, [{num_heads: 24}]]\n"),
            (HEAD, HEAD.replace("22", "23")),
        ],
        "mine.yaml",
        [(23, "at scale n, s, m, l): OutlookAttention needs c1 divisible by num_heads; got c1=256", "")],
    ),
    "a name that nobody knows": (
        [("[-1, 2, C3k2, [1024, True]] # 22", "[-1, 2, C3k2_CoT, [1024, True]] # 22")],
        "mine.yaml",
        [(22, "no module is called 'C3k2_CoT'", "Did you mean 'C3k2CoT'?")],
    ),
    "an index below the table": (
        [("[16, 19, 22]", "[16, 19, 25]")],
        "mine.yaml",
        [(23, "reads row 25 (from=25), but only rows 0 to 22 stand above it", "")],
    ),
    "one level twice": (
        [("[16, 19, 22]", "[16, 19, 18]")],
        "mine.yaml",
        [(23, "levels go from fine to coarse; row 19 (C3k2) has stride 16, then row 18 (Concat) stride 16", "")],
    ),
    "the neck passed by": (
        [("[16, 19, 22]", "[4, 19, 22]")],
        "mine.yaml",
        [(23, "reads row 4 (C3k2) of the backbone, past the neck", "Read the neck's outputs")],
    ),
    "a row without arguments": (
        [behind("# 10", "  - [-1, 1, CoTAttention]\n")],
        "mine.yaml",
        [(11, "a row is [from, repeats, module, [args]]; got [-1, 1, 'CoTAttention']", "Write for example")],
    ),
    "a Concat of one row": (
        [("[[-1, 10], 1, Concat", "[-1, 1, Concat")],
        "mine.yaml",
        [(21, "reads several rows; got from=-1", "Write a list")],
    ),
    "a list where one row is read": (
        [("[-1, 1, SPPF, [1024, 5]]", "[[-1], 1, SPPF, [1024, 5]]")],
        "mine.yaml",
        [(9, "reads one row; got from=[-1]", "Write -1")],
    ),
    "a block behind the head": (
        [(HEAD, HEAD + "\n  - [16, 1, CoTAttention, []]")],
        "mine.yaml",
        [
            (24, "the last row must be a head", "Move the head to the end"),
            (23, "a head stands before the last row", ""),
        ],
    ),
    "a name whose letter is taken for a scale": (
        [],
        "yolo11mine.yaml",
        [(None, "reads the letter behind the number in 'yolo11mine.yaml' as scale 'm'", "Name it yolo11-mine.yaml")],
    ),
    "a name whose letter is no scale of the file": (
        [("  s: [0.50, 0.50, 1024]", "  # s: [0.50, 0.50, 1024]")],
        "yolo11small.yaml",
        [(None, "as scale 's', which the file has not", "Name it yolo11-small.yaml")],
    ),
    "scales that are no triples": (
        [("n: [0.50, 0.25, 1024]", "n: [0.50, 0.25]")],
        "mine.yaml",
        [(None, "scales must be {letter: [depth, width, max_channels]}", "Write three numbers")],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_published_mistake_is_caught_with_row_and_remedy(name, tmp_path):
    changes, file, expected = MISTAKES[name]
    path = tmp_path / file
    path.write_text(changed(STOCK_TEXT, *changes), encoding="utf-8")
    faults = lint(path)
    for row, what, remedy in expected:
        assert any(f.row == row and what in str(f) and remedy in f.remedy for f in faults), [str(f) for f in faults]
    assert {f.row for f in faults} <= {row for row, *_ in expected} | _follows(name), [str(f) for f in faults]


def _follows(name: str) -> set[int | None]:
    """Rows that a mistake leaves unread beside the row that makes it."""
    return {
        "an own architecture, head on raw rows": {16, 19, 22, 23},
        "an own architecture, skip of another size": {12, 15},
        "one level twice": {22, 23},
        "an index below the table": {23},
    }.get(name, set())


def test_ten_mistakes_and_more_are_in_the_table():
    assert len(MISTAKES) >= 10


def test_all_faults_are_told_together(tmp_path):
    path = tmp_path / "yolo11mine.yaml"
    text = changed(
        STOCK_TEXT, behind("# 10"), ("SPPF, [1024, 5]", "SPFF, [1024, 5]"), ("[512, 3, 2]] # 5", "[512, 3, 2, x]] # 5")
    )
    path.write_text(text, encoding="utf-8")
    rows = [f.row for f in lint(path)]
    assert rows[0] is None
    assert {5, 9, 19, 24} <= set(rows)


def test_a_digit_and_letter_in_a_folder_is_told_where_it_makes_the_scaled_name_unfindable(tmp_path):
    folder = tmp_path / "run2x"
    folder.mkdir()
    (folder / "yolo11-mine.yaml").write_text(STOCK_TEXT, encoding="utf-8")
    (fault,) = lint(folder / "yolo11-mine.yaml")
    assert "run2/yolo11n-mine.yaml" in fault.what
    assert "Rename the folder" in fault.remedy


@pytest.mark.parametrize("path", stock_files(), ids=lambda p: p.stem)
def test_what_ultralytics_ships_is_clean(path):
    assert [str(f) for f in lint(path)] == []


@pytest.mark.parametrize("path", configs(), ids=lambda p: p.stem)
def test_our_configs_are_clean(path):
    assert [str(f) for f in lint(path)] == []


def test_the_base_of_an_edited_model_is_found_with_the_rows_put_in():
    edited = yaml.safe_load(insert("yolov8-p2.yaml", block="CoTAttention", at="P3,neck.P2").text)
    base = find_base(edited)
    assert base is not None
    assert base.path.name == "yolov8-p2.yaml"
    assert base.inserted == {5, 20}


def test_an_own_architecture_has_no_base():
    assert find_base(yaml.safe_load(changed(STOCK_TEXT, ("[256, False, 0.25]", "[256, True, 0.5]")))) is None


def test_an_index_rewired_on_purpose_is_no_fault(tmp_path):
    # P4 of the neck is joined with the backbone's row 5 instead of the neck's row 14: same size, far from it.
    path = tmp_path / "mine.yaml"
    text = insert("yolo11.yaml", block="CoTAttention", at="P5").text
    path.write_text(changed(text, ("[[-1, 14], 1, Concat", "[[-1, 5], 1, Concat")), encoding="utf-8")
    assert lint(path) == []


@pytest.mark.parametrize(
    "text, message", [("a: [", "is not valid YAML"), ("nc: 3", "is no model YAML: it needs 'backbone'")]
)
def test_what_is_no_model_yaml_is_refused(text, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        lint(tmp_path / "mine.yaml")


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"no model YAML 'nowhere\.yaml'.*such as yolo11\.yaml"):
        lint("nowhere.yaml")


@pytest.mark.parametrize("name", [".", "", "..", "/", "x" * 5000, "a/" + "x" * 252])
def test_what_is_no_name_of_a_file_is_told(name):
    with pytest.raises(FileNotFoundError, match=r"no model YAML '.{0,81}': ") as caught:
        lint(name)
    assert len(str(caught.value)) < 250


def test_a_folder_that_ultralytics_misreads_is_told_of_a_users_file_and_not_of_a_shipped_one(tmp_path, monkeypatch):
    from ultralytics.utils import ROOT

    from yolo_cot.yaml_edit.lint import file as lint_file

    folder = tmp_path / "tmp8sh"
    folder.mkdir()
    file = folder / "yolo11.yaml"
    file.write_text((ROOT / "cfg" / "models" / "11" / "yolo11.yaml").read_text(encoding="utf-8"))
    assert ["anywhere in the path" in str(fault) for fault in lint(str(file))] == [True]
    monkeypatch.setattr(lint_file, "ULTRALYTICS", folder)
    assert lint(str(file)) == []
