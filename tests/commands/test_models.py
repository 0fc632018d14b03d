"""models: the table that is kept is what is measured, and every config stands in it."""

from __future__ import annotations

import re

import pytest

from tests.commands.verbs import call
from yolo_cot.commands import models
from yolo_cot.commands.models import Case, all_cases, kept, measure, read
from yolo_cot.paths import configs
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit.recipe_names import recipes

AT_ONCE = {"yolo11 n fused", "yolo11-cot-outlook n", "volo-yolo11 n", "cotnet50-cls fused"}


def test_the_kept_table_holds_every_config_at_every_scale():
    assert set(kept()) == {case.key for case in all_cases()}
    assert {case.config for case in all_cases()} == {"yolo11", *(path.stem for path in configs())}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case.key in AT_ONCE else pytest.mark.sweep, id=case.key) for case in all_cases()],
)
def test_the_kept_table_is_what_is_measured(case):
    measured = measure(read(case.config), case.scale, fused=case.fused)
    assert kept()[case.key].parameters == measured.parameters
    assert kept()[case.key].imgsz == measured.imgsz
    # Releases of the FLOP counter differ by what they charge for norms and activations.
    assert kept()[case.key].gflops == pytest.approx(measured.gflops, rel=0.02)


def test_every_config_is_listed_beside_the_plain_one_without_building_any(monkeypatch, capsys):
    monkeypatch.setattr(models, "build", lambda *args: pytest.fail("a model was built"))
    call(models, scale="n")
    output = capsys.readouterr().out
    assert "yolo11 (plain)" in output
    for path in configs():
        assert path.stem in output
    assert "CoTAttention at row 11, OutlookAttention at row 21" in output
    call(models, scale="n", fused=True)
    assert "2.62    6.5" in capsys.readouterr().out


def test_another_size_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(models, "all_cases", lambda: [Case("yolo11", "n", False), Case("cotnet50-cls", "", False)])
    call(models, scale="n", imgsz=320)
    output = capsys.readouterr().out
    assert "320 x 320" in output
    assert "2.62    1.7" in output


@pytest.mark.slow
def test_the_names_in_a_base_are_measured_beside_the_plain_one(capsys):
    call(models, base="yolov8-pose", scale="n")
    output = capsys.readouterr().out
    names = [recipe.at_scale("n") for recipe in recipes() if recipe.base.stem == "yolov8-pose"]
    assert len(names) > 10
    assert all(name in output for name in names)
    assert "yolov8-pose.yaml, pose" in output
    # What Ultralytics' own summary says of the plain model.
    (plain,) = re.findall(r"\(plain\)[\s│|]+([\d.]+)[\s│|]+([\d.]+)", output)
    assert plain == ("3.30", "9.3")


def test_an_idea_without_a_place_is_left_out_and_a_wrong_base_is_told(capsys, monkeypatch):
    one = [r for r in recipes() if r.base.stem == "yolo11-cls-resnet18" and r.idea.name in ("cot", "cot-outlook")]
    monkeypatch.setattr(models, "recipes", lambda: one)
    call(models, base="yolo11-cls-resnet18.yaml")
    output = capsys.readouterr().out
    assert "yolo11-cot-cls-resnet18.yaml" in output
    assert "cot-outlook" not in output
    with pytest.raises(ValueError, match=r"got yolo26-segment. Did you mean 'yolo"):
        call(models, base="yolo26-segment")


def test_every_base_stands_under_its_task(capsys):
    models.print_bases()
    output = capsys.readouterr().out
    lines = [line.split() for line in output.splitlines()[1:]]
    told = {base: task for task, *bases in lines for base in bases}
    # The head's row alone tells the same as the whole file.
    assert told == {recipe.base.stem: recipe.task for recipe in recipes()}
    assert set(told) == {path.stem for path in stock_files()}
