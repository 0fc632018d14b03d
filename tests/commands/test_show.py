"""show: sizes that add up to Ultralytics' own, the base beside them, and a picture of the graph."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import thop
import torch
import yaml
from ultralytics.utils.torch_utils import get_num_params

from tests.commands.verbs import call
from tests.processes import here
from yolo_cot.commands import output, show
from yolo_cot.commands.row_sizes import row_sizes
from yolo_cot.commands.show.graph_picture import arrows, columns_of
from yolo_cot.plugin.build import build
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit.files import find_model
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.insert import insert


def config(name: str) -> dict:
    return yaml.safe_load(find_model(name)[0].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name",
    [
        "yolo11.yaml",
        "yolo11-cot.yaml",
        "yolo11-outlook.yaml",
        "yolo11-seg.yaml",
        "yolov8-world.yaml",
        "yolo26-depth.yaml",
    ],
)
def test_rows_add_up_to_what_ultralytics_counts(name):
    if name.startswith("yolo26") and name not in {path.name for path in stock_files()}:
        pytest.skip(f"this Ultralytics has no {name}")
    model = build(config(name), "n")
    sizes = row_sizes(model)
    assert sum(s.parameters for s in sizes) == get_num_params(model)
    macs, _ = thop.profile(model, [torch.zeros(1, 3, 640, 640)], verbose=False)
    assert sum(s.gflops for s in sizes) == pytest.approx(macs * 2 / 1e9, rel=1e-9)


def test_channels_and_strides_are_those_of_the_run():
    sizes = row_sizes(build(config("yolov9e.yaml"), ""), imgsz=64)
    assert [(sizes[i].channels, sizes[i].stride) for i in (0, 1, 9, 29, 35)] == [
        (3, 1),
        (64, 2),
        (1024, 32),
        (512, 32),
        (256, 8),
    ]
    assert [sizes[i].channels for i in (10, 14, 42)] == [None] * 3


def test_measuring_leaves_the_model_as_it_was():
    model = build(config("yolo11.yaml"), "n")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    row_sizes(model, 64)
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_the_command_prints_rows_beside_the_bases(tmp_path):
    insert("yolo11.yaml", tmp_path / "yolo11-mine.yaml", block="CoTAttention", at="P3", replace="22:C3k2CoT")
    words = ["show", "model=yolo11n-mine.yaml", "imgsz=64", f"save={tmp_path / 'graph.png'}"]
    done = here(*words, cwd=tmp_path)
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    rows = {cells[0]: cells for cells in lines}
    assert rows["+5"][3] == "CoTAttention"
    assert rows["+5"][9:] == ["", "", ""]
    assert rows["~23"][3] == "C3k2CoT"
    assert rows["~23"][9] == "22"
    assert rows["6"][9] == "5"
    assert rows["6"][7] == rows["6"][10] == "147,712"
    assert "2,624,080" in rows[""][10]
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")


def test_the_base_can_be_named_and_a_stock_model_stands_alone(capsys, tmp_path):
    call(show, model="yolo11n.yaml", imgsz=64)
    assert "yolo11 row" not in capsys.readouterr().out
    call(show, model="yolo11n-seg.yaml", base="yolo11.yaml", imgsz=64)
    out = capsys.readouterr().out
    assert "yolo11 row" in out
    assert re.search(r"\+23 .*Segment", out)


def test_at_80_columns_row_module_and_arguments_stay(capsys, monkeypatch):
    monkeypatch.setattr(output, "WIDTH_OF_FILES", 80)
    call(show, model="yolo11n-cot.yaml", imgsz=64)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert ["+11", "-1", "1", "CoTAttention", "{'gate': 0.0}", "577,280"] in rows
    assert ["25", "17, 21, 24", "1", "Detect", "nc", "464,912"] in rows


@pytest.mark.parametrize("name", ["yolo11.yaml", "yolov9e.yaml", "yolov8-world.yaml", "yolov3.yaml"])
def test_no_line_of_the_picture_runs_behind_a_box(name):
    model = config(name)
    rows = rows_of(model)
    columns = columns_of(rows, row_sizes(build(model), 64))
    lines = arrows(rows, columns)
    assert len(lines) == sum(source >= 0 for row in rows for source in row.sources)
    boxes = {(column * 2.5, row) for row, column in enumerate(columns)}
    for line in lines:
        for (x0, y0), (x1, y1) in pairwise(line):
            assert x0 == x1 or y0 == y1
            for x, y in boxes:
                inside_x = min(x0, x1) < x + 0.85 and max(x0, x1) > x - 0.85
                inside_y = min(y0, y1) < y + 0.25 and max(y0, y1) > y - 0.25
                assert not (inside_x and inside_y), (line, (x, y))


@pytest.mark.parametrize("suffix, start", [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_picture_comes_in_the_format_of_its_name(suffix, start, tmp_path, capsys):
    call(show, model="yolo11n.yaml", imgsz=64, save=str(tmp_path / f"graph.{suffix}"))
    assert (tmp_path / f"graph.{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize(
    "wish, error, message",
    [
        ({}, ValueError, "needs model="),
        ({"model": "yolo11n.yaml", "size": 3}, ValueError, "no argument 'size'. Example: yolo-cot show"),
        ({"model": "yolo11n.yaml", "imgsz": 100}, ValueError, "multiple of 32; got imgsz=100"),
        ({"model": "yolo11n.yaml", "scale": "q"}, ValueError, "yolo11.yaml has the scales n, s, m, l, x; got scale=q"),
        ({"model": "yolo11n.yaml", "imgsz": 64, "save": "graph.txt"}, ValueError, "such as graph.png.*got 'graph.txt'"),
        ({"model": "nowhere.yaml"}, FileNotFoundError, "no model YAML 'nowhere.yaml'"),
        ({"model": "yolo11n.yaml", "base": "nowhere.yaml"}, FileNotFoundError, "no model YAML 'nowhere.yaml'"),
    ],
)
def test_wrong_wishes_are_told(wish, error, message):
    with pytest.raises(error, match=message):
        call(show, **wish)
