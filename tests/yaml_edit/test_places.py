"""Named places: what P3, neck.P5, after=SPPF and before=Detect mean in the YAMLs that Ultralytics ships."""

from __future__ import annotations

import pytest
import yaml

from yolo_cot.plugin.probe import probe
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit.files import find_model
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.places import levels, resolve


def opened(name: str):
    path, _ = find_model(name)
    model = yaml.safe_load(path.read_text(encoding="utf-8"))
    return rows_of(model), probe(model)


@pytest.mark.parametrize(
    "name, backbone, neck",
    [
        ("yolo11.yaml", {"P1": 0, "P2": 2, "P3": 4, "P4": 6, "P5": 10}, {"P3": 16, "P4": 19, "P5": 22}),
        ("yolov3.yaml", {"P1": 2, "P2": 4, "P3": 6, "P4": 8, "P5": 10}, {"P3": 27, "P4": 22, "P5": 15}),
        ("yolov3-tiny.yaml", {"P1": 2, "P2": 4, "P3": 6, "P4": 8, "P5": 12}, {"P4": 19, "P5": 15}),
        ("yolov9e.yaml", {"P1": 16, "P2": 19, "P3": 22, "P4": 25, "P5": 29}, {"P3": 35, "P4": 38, "P5": 41}),
        ("rtdetr-l.yaml", {"P2": 1, "P3": 3, "P4": 7, "P5": 9}, {"P3": 21, "P4": 24, "P5": 27}),
        ("yolov8-p2.yaml", {"P1": 0, "P2": 2, "P3": 4, "P4": 6, "P5": 9}, {"P2": 18, "P3": 21, "P4": 24, "P5": 27}),
        ("yolo26-sem.yaml", {"P1": 0, "P2": 2, "P3": 4, "P4": 6, "P5": 10}, {"P3": 16, "P4": 13}),
        ("yolo11-cls.yaml", {"P1": 0, "P2": 2, "P3": 4, "P4": 6, "P5": 9}, {}),
        ("yolo11-cls-resnet18.yaml", {"P5": 0}, {}),
    ],
)
def test_levels_are_what_the_neck_and_the_head_read(name, backbone, neck):
    if name not in {path.name for path in stock_files()}:
        pytest.skip(f"this Ultralytics has no {name}")
    rows, built = opened(name)
    assert levels("backbone", rows, built) == backbone
    assert levels("neck", rows, built) == neck


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("P3", [(4, False)]),
        ("p3", [(4, False)]),
        ("backbone.P3", [(4, False)]),
        ("neck.P3", [(16, False)]),
        ("neck.P3,P3,4", [(4, False), (16, False)]),
        (["neck.P5", 7], [(7, False), (22, False)]),
        (12, [(12, False)]),
        ("after=SPPF", [(9, False)]),
        ("after=C2PSA, before=Detect", [(10, False), (23, True)]),
        ("after=Concat", [(12, False), (15, False), (18, False), (21, False)]),
        ("before=12", [(12, True)]),
    ],
)
def test_places_are_named_in_several_ways(spec, expected):
    rows, built = opened("yolo11.yaml")
    assert [(p.row, p.before) for p in resolve(spec, rows, built)] == expected


@pytest.mark.parametrize(
    "name, spec, message",
    [
        ("yolo11.yaml", "P9", r"no P9 in its backbone; its levels there: P1 \(row 0\), P2 \(row 2\)"),
        ("yolo11.yaml", "neck.P2", r"no P2 in its neck; its levels there: P3 \(row 16\)"),
        ("yolo11-cls.yaml", "neck.P5", "its levels there: none"),
        ("yolo11.yaml", "24", "has rows 0 to 23; got row 24"),
        ("yolo11.yaml", "after=C3K2", r"no row of 'C3K2'. Did you mean 'C3k2'\? It uses C2PSA"),
        ("yolo11.yaml", "somewhere", r"'somewhere' names no place in .*Give P3 \(backbone\)"),
        ("yolo11.yaml", "23", "is the model's end; got '23'. Use before=Detect"),
        ("yolo11.yaml", "before=0", "reads the image itself"),
        ("yolov9e.yaml", "11", r"row 11 \(CBLinear\) gives no single feature map"),
        ("yolov9e.yaml", "before=CBFuse", r"row 10 \(CBLinear\) gives no single feature map"),
        ("yolov8-world.yaml", "after=ImagePoolingAttn", "gives no single feature map"),
    ],
)
def test_a_place_that_is_none_is_refused_with_what_there_is(name, spec, message):
    rows, built = opened(name)
    with pytest.raises(ValueError, match=message):
        resolve(spec, rows, built, name)


def test_a_row_that_this_machine_cannot_build_can_still_be_named_by_its_number():
    model = yaml.safe_load(find_model("yolo11.yaml")[0].read_text(encoding="utf-8"))
    model["backbone"][4][2] = "SomebodysOwn"
    rows, built = rows_of(model), probe(model)
    assert [p.row for p in resolve("4,after=SPPF", rows, built)] == [4, 9]
    with pytest.raises(ValueError, match=r"no P5 in its backbone.*row 4 \(SomebodysOwn\) cannot be built"):
        resolve("P5", rows, built)
