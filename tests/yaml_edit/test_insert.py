"""insert: the new YAML builds at every scale, and every stock row is given what it was given, seen by running."""

from __future__ import annotations

import functools
import os
import re

import pytest
import torch
import yaml
from ultralytics.nn.tasks import guess_model_task

from tests.yaml_edit.tracing import contracted, trace
from yolo_cot.plugin.build import build
from yolo_cot.plugin.catalog import INSERTABLE
from yolo_cot.plugin.probe import probe
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit.files import find_model
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.insert import insert
from yolo_cot.yaml_edit.lint import lint_model
from yolo_cot.yaml_edit.places import levels

KEEPING = [name for name, block in INSERTABLE.items() if block.counts_as is None]
SHIPPED = {path.name for path in stock_files()}
# One of each way to wire a model, of those that this Ultralytics has; the full sweep is marked sweep.
SAMPLE = [
    name
    for name in (
        "yolo11.yaml",
        "yolo26-p2.yaml",
        "yolov3-tiny.yaml",
        "yolov5-p6.yaml",
        "yolov6.yaml",
        "yolov8-world.yaml",
        "yolov9e.yaml",
        "yolov10n.yaml",
        "yolo12.yaml",
        "rtdetr-resnet50.yaml",
        "yolo11-cls-resnet18.yaml",
        "yolo26-sem.yaml",
    )
    if name in SHIPPED
]
DETECTION = [path for path in stock_files() if guess_model_task(yaml.safe_load(path.read_text("utf-8"))) == "detect"]
OTHERS = [path for path in stock_files() if path not in DETECTION]


def content(path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@functools.cache
def traced(path) -> dict[str, tuple]:
    """What every row of a stock file is given, and gives, at every scale."""
    model = content(path)
    return {scale: trace(model, scale) for scale in model.get("scales") or [""]}


def named_places(model: dict) -> list[str]:
    rows, built = rows_of(model), probe(model)
    modules = {row.module for row in rows}
    return [
        *levels("backbone", rows, built),
        *(f"neck.{level}" for level in levels("neck", rows, built)),
        f"before={rows[-1].module}",
        *(f"after={m}" for m in ("SPPF", "SPPELAN", "C2PSA", "PSA", "nn.Upsample", "Concat") if m in modules),
    ]


def check(path, block: str, places: list[str], scales: list[str], before: dict[str, tuple]) -> None:
    """Insert, then compare what every row is given, and gives, with the base's."""
    edited = insert(path, block=block, at=places)
    model = yaml.safe_load(edited.text)
    new = {row.index for row in edited.rows}
    assert [str(fault) for fault in lint_model(model)] == []
    for scale in scales:
        inputs, shapes = trace(model, scale)
        stock_inputs, stock_shapes = before[scale]
        assert contracted(inputs, new) == stock_inputs
        assert [shape for i, shape in enumerate(shapes) if i not in new] == stock_shapes
        for row in edited.rows:
            assert [i for i, given in enumerate(inputs) if row.index in given] == list(row.readers)
            if not row.place.startswith("before"):
                # Nobody but the new row is given what it stands behind.
                (source,) = inputs[row.index]
                assert [i for i, given in enumerate(inputs) if source in given] == [row.index]


def places_that_take(block: str, path) -> tuple[list[str], list[str]]:
    """The named places where a block fits, and those whose channels its own rule on groups refuses.

    The others are places where a composite's channel count cannot be had.
    """
    fitting, indivisible = [], []
    for place in named_places(content(path)):
        try:
            insert(path, block=block, at=place)
        except ValueError as error:
            if re.search(r"(CoTAttention|CoTBlock|CoXtBlock) needs c1 divisible by \d+", str(error)):
                indivisible.append(place)
            # No number of the file gives the channels.
            elif block in KEEPING or "states its channel count, and none gives what" not in str(error):
                raise
        else:
            fitting.append(place)
    return fitting, indivisible


@pytest.mark.parametrize("name", SAMPLE)
def test_every_row_is_given_what_it_was_given(name):
    path, _ = find_model(name)
    model = content(path)
    scale = next(iter(model.get("scales") or [""]))
    check(path, KEEPING[0], named_places(model), [scale], {scale: trace(model, scale)})


@pytest.mark.parametrize("name", ["yolo11.yaml", "yolov8-world.yaml", "yolov3-tiny.yaml"])
def test_every_place_by_itself_leaves_every_row_what_it_was_given(name):
    path, _ = find_model(name)
    model = content(path)
    scale = next(iter(model.get("scales") or [""]))
    before = {scale: trace(model, scale)}
    for place in named_places(model):
        check(path, KEEPING[0], [place], [scale], before)


@pytest.mark.sweep
@pytest.mark.parametrize("block", INSERTABLE)
@pytest.mark.parametrize("path", DETECTION, ids=lambda p: p.stem)
def test_every_block_at_every_place_of_every_detection_model_at_every_scale(path, block):
    model = content(path)
    before = traced(path)
    places, indivisible = places_that_take(block, path)
    assert set(named_places(model)) - set(places) - set(indivisible) <= {"after=Concat", "P5"}
    assert "P5" in places or path.stem.startswith("rtdetr")
    # Only YOLOv9's odd widths are no multiples of the groups.
    assert not indivisible or path.stem in {"yolov9m", "yolov9s", "yolov9c", "yolov9e", "yolov9t"}
    assert not indivisible or block not in {"CoTAttention", "OutlookAttention", "GatedConv", "Outlooker"}
    for place in places:
        check(path, block, [place], list(before), before)


@pytest.mark.sweep
@pytest.mark.parametrize("path", OTHERS, ids=lambda p: p.stem)
def test_every_place_of_the_models_of_other_tasks(path):
    model = content(path)
    scale = next(iter(model.get("scales") or [""]))
    before = {scale: trace(model, scale)}
    for block in KEEPING:
        for place in named_places(model):
            check(path, block, [place], [scale], before)


@pytest.mark.sweep
@pytest.mark.parametrize("path", DETECTION, ids=lambda p: p.stem)
def test_all_places_together_run_with_real_numbers_at_every_scale(path):
    model = content(path)
    edited = yaml.safe_load(insert(path, block=KEEPING[0], at=named_places(model)).text)
    for scale in model.get("scales") or [""]:
        with torch.no_grad():
            build(edited, scale, path.name).eval()(torch.rand(1, 3, 64, 64))


def test_the_set_of_detection_models_is_not_empty():
    assert len(DETECTION) >= 29
    assert len(SAMPLE) >= 10
    assert len(DETECTION) + len(OTHERS) == len(stock_files())


def test_a_real_model_runs_with_every_block_at_every_place():
    path, _ = find_model("yolo11.yaml")
    for block in KEEPING:
        edited = insert(path, block=block, at=named_places(content(path)), arguments={"gate": 0.5})
        output = build(yaml.safe_load(edited.text), "n").eval()(torch.rand(1, 3, 64, 64))[0]
        assert output.shape == (1, 84, 84)
        assert output.isfinite().all()


def test_all_readers_of_a_level_read_the_block_and_before_serves_one_reader_only():
    after = insert("yolo11.yaml", block="CoTAttention", at="neck.P3")
    assert [row.readers for row in after.rows] == [(18, 24)]
    before = insert("yolo11.yaml", block="CoTAttention", at="before=Detect")
    assert [row.readers for row in before.rows] == [(26,), (26,), (26,)]
    inputs, _ = trace(yaml.safe_load(before.text))
    assert inputs[26] == [23, 24, 25]
    assert [inputs[i] for i in (23, 24, 25)] == [[16], [19], [22]]
    assert inputs[17] == [16]


def test_replacing_changes_one_word_and_no_index():
    base = find_model("yolo11.yaml")[0].read_text(encoding="utf-8")
    edited = insert("yolo11.yaml", replace="C3k2:C3k2CoT")
    assert edited.text.endswith("\n\n" + base.replace(", C3k2, [", ", C3k2CoT, ["))
    assert [row.index for row in edited.rows] == [2, 4, 6, 8, 13, 16, 19, 22]


def test_replacing_and_inserting_go_together_and_row_numbers_are_the_bases():
    edited = insert(
        "yolo11.yaml", replace="6:C3k2CoT,C2PSA:OutlookAttention", block="CoTAttention", at="2,6", repeats=2
    )
    rows = rows_of(yaml.safe_load(edited.text))
    assert [(r.index, r.block) for r in edited.rows] == [
        (3, "CoTAttention"),
        (7, "C3k2CoT"),
        (8, "CoTAttention"),
        (12, "OutlookAttention"),
    ]
    assert rows[3].repeats == 2
    assert rows[7].args == [512, True]
    assert rows[12].args == []


def test_arguments_are_written_by_name():
    text = insert("yolo11.yaml", block="OutlookAttention", at="P5", arguments={"num_heads": 4, "gate": 0.0}).text
    assert "  - [-1, 1, OutlookAttention, [{num_heads: 4, gate: 0.0}]] # 11\n" in text
    text = insert("yolo11.yaml", replace="6:C3k2Outlook", arguments={"num_heads": 2}).text
    assert "[-1, 2, C3k2Outlook, [512, True, {num_heads: 2}]]" in text


def test_a_composite_is_inserted_with_the_channel_count_of_its_place():
    edited = yaml.safe_load(insert("yolo11.yaml", block="C3k2CoT", at="P3,after=SPPF,before=Detect").text)
    counts = {row.index: row.args for row in rows_of(edited) if row.module == "C3k2CoT"}
    assert counts == {5: [512], 11: [1024], 25: [256], 26: [512], 27: [1024]}


def test_the_header_says_what_was_changed_and_the_files_name(tmp_path):
    insert("yolo11.yaml", tmp_path / "yolo11-mine.yaml", block="CoTAttention", at="P5", command="yolo-cot insert ...")
    lines = (tmp_path / "yolo11-mine.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[:4] == [
        "# yolo11-mine.yaml: yolo11.yaml with CoTAttention",
        "# Made by: yolo-cot insert ...",
        "# Row 11: CoTAttention after C2PSA (row 10 of the base, P5); read by rows 12, 22.",
        "# Weights of yolo11 keep their rows: pretrained=FILE.pt moves each tensor to its new place.",
    ]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("[16, 19, 22]", "[16, 19, 25]", r"must be mended first: row 23 \(Detect\): reads row 25"),
        ("n: [0.50, 0.25, 1024]", "n: [0.50, 0.25]", "must be mended first: file: scales must be"),
    ],
)
def test_a_base_that_is_broken_is_refused(old, new, message, tmp_path):
    text = find_model("yolo11.yaml")[0].read_text(encoding="utf-8")
    (tmp_path / "base.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        insert(tmp_path / "base.yaml", block="CoTAttention", at="P5")


def test_an_edited_file_can_be_edited_again(tmp_path):
    insert("yolo11.yaml", tmp_path / "one.yaml", block="CoTAttention", at="P3", arguments={"gate": 0.0})
    twice = insert(tmp_path / "one.yaml", block="CoTAttention", at="P5", arguments={"gate": 0.0})
    once = insert("yolo11.yaml", block="CoTAttention", at="P3,P5", arguments={"gate": 0.0})
    assert yaml.safe_load(twice.text) == yaml.safe_load(once.text)


@pytest.mark.parametrize(
    "base, wish, message",
    [
        ("yolo11.yaml", {"block": "CoTAttention"}, "needs block= and at=, or replace=OLD:NEW"),
        ("yolo11.yaml", {"at": "P5"}, "needs block= and at="),
        ("yolo11.yaml", {}, "needs block= and at="),
        (
            "yolo11.yaml",
            {"block": "CoTAtention", "at": "P5"},
            "no block is called 'CoTAtention'. Did you mean 'CoTAttention'",
        ),
        ("yolo11.yaml", {"block": "Concat", "at": "P5"}, "no block is called 'Concat'.*Known blocks: CoTAttention"),
        (
            "yolo11.yaml",
            {"block": "VOLOTransformer", "at": "P5"},
            "VOLOTransformer is a part of a network and has its place there; insert takes a block. Known blocks: CoT",
        ),
        ("yolo11.yaml", {"replace": "SPPF:VOLOPosition"}, "VOLOPosition is a part of a network"),
        ("yolo11.yaml", {"block": "CoTAttention", "at": "P5", "arguments": {"gat": 0.0}}, "Did you mean 'gate'"),
        ("yolo11.yaml", {"block": "C3k2CoT", "at": "P5", "arguments": {"c2": 8}}, "leave c2 out"),
        (
            "yolo11.yaml",
            {"block": "OutlookAttention", "at": "P5", "arguments": {"num_heads": 24}},
            r"row 11 \(OutlookAttention\) at scale n, s, m, l: .*divisible by num_heads; got c1=256",
        ),
        (
            "yolo11.yaml",
            {"block": "C3k2CoT", "at": "after=Concat"},
            r"none gives what row 12 \(Concat\) has \(384 at n",
        ),
        ("rtdetr-l.yaml", {"block": "C3k2CoT", "at": "P5"}, "2048 at l.*CoTAttention, OutlookAttention"),
        ("yolo11.yaml", {"replace": "C3k2"}, "replace takes OLD:NEW"),
        ("yolo11.yaml", {"replace": "C2f:C3k2CoT"}, "no row of 'C2f'. It uses C2PSA"),
        ("yolov8.yaml", {"replace": "C2f:C3k2CoT"}, r"C3k2CoT takes the place of C3k2; row 2 \(C2f\) is another"),
        ("yolo11.yaml", {"replace": "3:CoTAttention"}, r"row 3 \(Conv\) changes them.*at=3"),
        ("yolo11.yaml", {"replace": "Concat:CoTAttention"}, r"row 12 \(Concat\) changes them"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(base, wish, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        insert(base, tmp_path / "mine.yaml", **wish)
    assert not (tmp_path / "mine.yaml").exists()


def test_on_a_full_disk_the_file_that_is_there_stays(tmp_path, monkeypatch):
    mine = tmp_path / "mine.yaml"
    mine.write_text(insert("yolo11.yaml", block="CoTAttention", at="P5").text)
    before = mine.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        insert(mine, mine, block="CoTAttention", at="P4")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.yaml"]
    assert mine.read_bytes() == before
