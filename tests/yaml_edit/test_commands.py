"""yolo-cot insert and yolo-cot lint, as they are typed."""

from __future__ import annotations

import pytest
import yaml

from tests.commands.verbs import call
from tests.processes import here
from yolo_cot.commands import insert as insert_verb
from yolo_cot.commands import lint as lint_verb
from yolo_cot.yaml_edit.insert import insert


def test_insert_writes_the_file_that_lint_finds_clean(tmp_path):
    words = "base=yolo11.yaml block=OutlookAttention at=P3,neck.P5 after=SPPF num_heads=4 gate=0 out=yolo11-mine.yaml"
    said = here("insert", *words.split(), cwd=tmp_path).stdout
    assert "Row 11: OutlookAttention after SPPF (row 9 of the base, after=SPPF); read by row 12." in said
    assert "wrote yolo11-mine.yaml" in said
    text = (tmp_path / "yolo11-mine.yaml").read_text(encoding="utf-8")
    assert f"# Made by: yolo-cot insert {words}\n" in text
    expected = insert(
        "yolo11.yaml", block="OutlookAttention", at="P3,neck.P5,after=SPPF", arguments={"num_heads": 4, "gate": 0}
    )
    assert yaml.safe_load(text) == yaml.safe_load(expected.text)
    assert here("lint", "yolo11-mine.yaml", cwd=tmp_path).stdout == "yolo11-mine.yaml: clean\n"


def test_lint_tells_every_fault_of_every_file_and_fails(tmp_path):
    text = insert("yolo11.yaml", block="CoTAttention", at="P5").text.replace("[17, 20, 23]", "[16, 19, 22]")
    (tmp_path / "yolo11mine.yaml").write_text(text, encoding="utf-8")
    done = here("lint", "model=yolo11.yaml,yolo11mine.yaml", cwd=tmp_path, status=1)
    assert done.stdout == "yolo11.yaml: clean\n"
    lines = done.stderr.splitlines()
    assert lines[0] == "yolo-cot: yolo11mine.yaml has 4 faults:"
    assert [line.split(":")[0].strip() for line in lines[1:5]] == ["file", *["row 24 (Detect)"] * 3]
    assert lines[2].endswith("Write 17 for 16.")


@pytest.mark.parametrize(
    "wish, error, message",
    [
        ({}, ValueError, "needs base=.* Example: yolo-cot insert base="),
        ({"base": "yolo11.yaml", "out": "no/such/folder/a.yaml"}, FileNotFoundError, "folder of out=.* does not exist"),
        ({"base": "yolo11.yaml", "out": "a.yaml", "repeats": 0}, ValueError, "at least 1; got repeats=0"),
        ({"base": "nowhere.yaml", "out": "a.yaml", "block": "CoTAttention", "at": "P5"}, FileNotFoundError, "nowhere"),
        ({"base": "yolo11.yaml", "out": "a.yaml", "block": "CoTAttention", "at": "P5", "gat": 1}, ValueError, "'gate'"),
    ],
)
def test_insert_tells_what_is_wrong(wish, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        call(insert_verb, **wish)
    assert list(tmp_path.iterdir()) == []


def test_insert_takes_values_as_the_command_line_parses_them(tmp_path, capsys):
    for n, at in enumerate(((4, 6), 4, "P3,P4", "[P3, P4]", ["P3"])):
        out = tmp_path / f"mine-{n}.yaml"
        call(insert_verb, base="yolo11", out=str(out), block="CoTAttention", at=at)
        rows = [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("Row")]
        assert rows == (["Row 5", "Row 8"] if "6" in str(at) or "4]" in str(at) or at == "P3,P4" else ["Row 5"])


def test_insert_keeps_a_file_that_is_there(tmp_path):
    out = tmp_path / "mine.yaml"
    out.write_text("edited by hand")
    with pytest.raises(ValueError, match=r"mine.yaml exists and is kept. Give another out="):
        call(insert_verb, base="yolo11", out=str(out), block="CoTAttention", at="P5")
    assert out.read_text() == "edited by hand"


def test_insert_tells_when_ultralytics_would_misread_the_new_files_name(tmp_path, capsys):
    call(insert_verb, base="yolo11.yaml", out=str(tmp_path / "yolo11mine.yaml"), replace="6:C3k2CoT")
    assert "note: file: Ultralytics reads the letter behind the number" in capsys.readouterr().out


@pytest.mark.parametrize(
    "base, part", [("yolov8-world.yaml", "-world"), ("yoloe-11-seg.yaml", "yoloe"), ("rtdetr-resnet50.yaml", "rtdetr")]
)
def test_a_name_that_hides_the_class_of_the_model_is_told(base, part, tmp_path, capsys):
    call(insert_verb, base=base, out=str(tmp_path / "mine.yaml"), block="CoTAttention", at="P5")
    assert f"only from a file whose name holds '{part}'; got mine.yaml" in capsys.readouterr().out
    call(lint_verb, model=str(tmp_path / "mine.yaml"))
    assert f"note: Ultralytics builds a model with {('YOLOE' if part == 'yoloe' else '')}" in capsys.readouterr().out
    call(lint_verb, model=base)
    assert capsys.readouterr().out == f"{base}: clean\n"


@pytest.mark.parametrize("wish, message", [({}, "needs model="), ({"model": "a", "x": 1}, "no argument 'x'")])
def test_lint_tells_what_it_takes(wish, message):
    with pytest.raises(ValueError, match=message):
        call(lint_verb, **wish)
