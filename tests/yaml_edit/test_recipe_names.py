"""Names as recipes: what a name asks for, how it opens, and what a wrong one is told."""

from __future__ import annotations

import pytest
from ultralytics import RTDETR, YOLO

import yolo_cot
from tests.processes import here, python
from yolo_cot.paths import config_dir
from yolo_cot.plugin.naming import scale_letter
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit import recipe_files
from yolo_cot.yaml_edit.files import find_model
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.recipe_names import nearest_name, recipe_named, recipes

SHIPPED = {path.stem for path in stock_files()}


@pytest.mark.parametrize(
    "name, base, idea, scale",
    [
        ("yolo26n-cot.yaml", "yolo26", "cot", "n"),
        ("yolo26s-outlook-seg.yaml", "yolo26-seg", "outlook", "s"),
        ("yolo26m-cot-outlook-sem.yaml", "yolo26-sem", "cot-outlook", "m"),
        ("yolo26n-cot-depth.yaml", "yolo26-depth", "cot", "n"),
        ("yoloe-26n-cot-seg.yaml", "yoloe-26-seg", "cot", "n"),
        ("yolov8n-cot-pose.yaml", "yolov8-pose", "cot", "n"),
        ("yolo12n-cotblock-obb.yaml", "yolo12-obb", "cotblock", "n"),
        ("yolo11n-cot-cls.yaml", "yolo11-cls", "cot", "n"),
        ("yolo11-cot-cls-resnet18.yaml", "yolo11-cls-resnet18", "cot", ""),
        ("yolov8n-cot-p2.yaml", "yolov8-p2", "cot", "n"),
        ("yolov8x-outlooker-seg-p6.yaml", "yolov8-seg-p6", "outlooker", "x"),
        ("yolov8l-cot-worldv2.yaml", "yolov8-worldv2", "cot", "l"),
        ("yolov8n-cot-backbone-ghost-p2.yaml", "yolov8-ghost-p2", "cot-backbone", "n"),
        ("yoloe-v8n-cot.yaml", "yoloe-v8", "cot", "n"),
        ("yolov9c-cot-seg.yaml", "yolov9c-seg", "cot", ""),
        ("yolov9s-cot.yaml", "yolov9s", "cot", "s"),
        ("yolov10n-cot-neck.yaml", "yolov10n", "cot-neck", "n"),
        ("yolov3-cot-tiny.yaml", "yolov3-tiny", "cot", ""),
        ("rtdetr-l-cot.yaml", "rtdetr-l", "cot", ""),
        ("rtdetr-resnet50-outlook.yaml", "rtdetr-resnet50", "outlook", ""),
    ],
)
def test_a_name_says_base_idea_and_scale(name, base, idea, scale):
    if base not in SHIPPED:
        pytest.skip(f"this Ultralytics ships no {base}.yaml")
    recipe = recipe_named(name)
    assert (recipe.base.stem, recipe.idea.name) == (base, idea)
    assert scale_letter(name) == scale
    assert name in {recipe.name, recipe.at_scale(scale)}


def test_every_base_has_its_names_and_none_is_there_twice():
    every = recipes()
    assert len({recipe.name for recipe in every}) == len(every)
    assert {recipe.base.stem for recipe in every} == SHIPPED
    with_c3k2 = {recipe.base.stem for recipe in every if recipe.idea.name == "c3k2cot"}
    assert with_c3k2 == {p.stem for p in stock_files() if "C3k2" in p.read_text(encoding="utf-8")}
    tasks = {recipe.name: recipe.task for recipe in every if recipe.idea.name == "cot"}
    assert (tasks["rtdetr-l-cot.yaml"], tasks["yolov8-cot-obb.yaml"]) == ("detect", "obb")


@pytest.mark.parametrize("name", ["yolo11.yaml", "yolo11n-mine.yaml", "cot.yaml", "yolo11n-cot-nothing.yaml"])
def test_another_name_is_no_recipe(name):
    assert recipe_named(name) is None
    assert recipe_files.find(name) is None


@pytest.mark.parametrize(
    "wrong, right",
    [
        ("yolo11-cot", "yolo11-cot.yaml"),
        ("yolo11n_cot.yaml", "yolo11n-cot.yaml"),
        ("yolo11n-cott.yaml", "yolo11n-cot.yaml"),
        ("yolo11n-cot.pt", "yolo11n-cot.yaml"),
        ("yolov8n-cot-segment.yaml", "yolov8n-cot-seg.yaml"),
        ("yolo26n-cot-segment.yaml", "yolo26n-cot-seg.yaml"),
        ("yolov8s-pose-outlook.yaml", "yolov8s-outlook-pose.yaml"),
        ("YOLO11n-CoT", "yolo11n-cot.yaml"),
        ("cotnet50", "cotnet50-cls.yaml"),
        ("yolo11-sge.yaml", ""),
        ("yolo11n.yml", ""),
        ("best.pt", ""),
    ],
)
def test_a_wrong_name_gets_the_nearest_right_one(wrong, right):
    if "26" in right and "yolo26" not in SHIPPED:
        pytest.skip("this Ultralytics ships no YOLO26")
    assert nearest_name(wrong) == right


@pytest.mark.parametrize(
    "name, task",
    [("yolov8n-cot-seg.yaml", "segment"), ("yolo11n-cot-cls.yaml", "classify"), ("yolov10n-outlook.yaml", "detect")],
)
def test_a_name_opens_as_its_base_does(name, task):
    yolo = YOLO(name)
    assert yolo.task == task
    assert yolo.model.yaml["yaml_file"] == name
    assert yolo.model.yaml["scale"] == "n"
    assert {row[2] for row in yolo.model.yaml["backbone"]} & {"CoTAttention", "OutlookAttention"}


def test_an_rtdetr_opens_by_its_own_class():
    rows = RTDETR("rtdetr-l-cot.yaml").model.yaml
    assert [row.module for row in rows_of(rows)].count("CoTAttention") == 2


def test_a_file_of_that_name_in_the_working_directory_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (config_dir() / "yolo11-outlook.yaml").read_text(encoding="utf-8")
    (tmp_path / "yolov8-cot.yaml").write_text(text, encoding="utf-8")
    assert "OutlookAttention" in str(YOLO("yolov8n-cot.yaml").model.yaml)
    assert find_model("yolov8n-cot.yaml")[0].resolve() == tmp_path / "yolov8-cot.yaml"


@pytest.mark.parametrize(
    "name, message",
    [
        ("yolo11-cot", "no model 'yolo11-cot'.*Did you mean 'yolo11-cot.yaml'"),
        ("yolo11n_cot.yaml", "no model 'yolo11n_cot.yaml'.*Did you mean 'yolo11n-cot.yaml'"),
        ("yolo11n-cott.yaml", "no model 'yolo11n-cott.yaml'.*Did you mean 'yolo11n-cot.yaml'"),
        ("yolov8n-cot-segment.yaml", "no model 'yolov8n-cot-segment.yaml'.*Did you mean 'yolov8n-cot-seg.yaml'"),
    ],
)
def test_yolo_names_what_was_typed_and_the_nearest_right_name(name, message):
    with pytest.raises(FileNotFoundError, match=message):
        YOLO(name)


@pytest.mark.parametrize("name", ["nowhere.yaml", "yolo11-sge.yaml", "some/folder/yolo11n-cott.yaml"])
def test_errors_of_other_names_are_ultralytics_own(name):
    with pytest.raises(FileNotFoundError) as error:
        YOLO(name)
    assert "Did you mean" not in str(error.value)


def test_names_are_unknown_again_without_the_package():
    yolo_cot.uninstall()
    try:
        with pytest.raises(FileNotFoundError, match=r"^'yolov8n?-cot.yaml' does not exist$"):
            YOLO("yolov8n-cot.yaml")
    finally:
        yolo_cot.install()


def test_a_stock_model_never_imports_what_makes_the_others():
    code = "import sys, yolo_cot\nfrom ultralytics import YOLO\nYOLO('yolov8n.yaml')\nprint(sorted(sys.modules))"
    said = python(code).stdout
    assert "yolo_cot.plugin.made_models" in said
    assert "yolo_cot.yaml_edit" not in said


def test_the_command_tells_a_wrong_name(tmp_path):
    done = here("train", "model=yolo11-cot", cwd=tmp_path, status=1)
    assert done.stderr.splitlines()[-1].startswith("yolo-cot: no model 'yolo11-cot'")
    assert done.stderr.strip().endswith("Did you mean 'yolo11-cot.yaml'?")
