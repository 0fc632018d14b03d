"""What the folder of an ablation accepts, and what its runs are told."""

from __future__ import annotations

import pytest

from tests.commands.ablate.ablations import entries, finish, inputs, models, pretended
from yolo_cot.commands.ablate.controls.model import model_of
from yolo_cot.commands.ablate.plan import Plan, Run, load
from yolo_cot.commands.ablate.prepare import prepare


def test_more_seeds_and_models_may_be_added_and_nothing_else(tmp_path):
    made = pretended(tmp_path, {"yolo11n": [0.6, 0.61], "yolo11n-cot": [0.6]})
    two = entries(models("yolo11n", "yolo11n-outlook"))
    plan = prepare(Plan(tmp_path, dict(made.settings), seeds=3), two)
    assert [e.label for e in plan.models] == ["yolo11n", "yolo11n-cot", "yolo11n-outlook"]
    assert plan.seeds == 3
    assert [run.name for run in plan.runs() if run.finished] == ["yolo11n-seed0", "yolo11n-cot-seed0", "yolo11n-seed1"]
    assert [run.seed for run in plan.runs()] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert load(tmp_path) == plan
    # Asking for fewer seeds takes none away.
    assert prepare(Plan(tmp_path, dict(made.settings), seeds=1), two).seeds == 3

    other = models("yolo11n-cot", "yolo11n")
    text = other[1].text.replace("[64, 3, 2]", "[32, 3, 2]")
    changed = [model_of("yolo11n", text), other[0]]
    for found, settings, more, told in (
        (models("yolo11n"), {"data": "set.yaml", "epochs": 4}, {}, "epochs was 3, now 4"),
        (models("yolo11n"), {"data": "set.yaml"}, {}, "epochs was 3, now None"),
        (models("yolo11n"), made.settings, {"split": "test"}, "split was val, now test"),
        (other, made.settings, {"task": "segment"}, "task was detect, now segment; the first model was"),
        (other, made.settings, {}, "the first model was yolo11n, now yolo11n-cot"),
        (changed, made.settings, {}, "the text of yolo11n has changed"),
    ):
        with pytest.raises(ValueError, match=rf"holds runs made otherwise: {told}"):
            prepare(Plan(tmp_path, dict(settings), seeds=2, **more), entries(found))


def test_another_metric_stands_in_the_history(tmp_path):
    made = pretended(tmp_path, {"yolo11n": [0.6], "yolo11n-cot": [0.6]})
    asked = Plan(tmp_path, dict(made.settings), seeds=1, own={"metric": "last_map"})
    plan = prepare(asked, entries(models("yolo11n", "yolo11n-cot")))
    assert plan.history[-1][1] == "metric: last_map, before: the task's own"
    assert plan.own == {"metric": "last_map"}


def test_a_data_yaml_that_changed_is_refused(tmp_path):
    inputs(tmp_path)
    data, one = tmp_path / "d" / "data.yaml", entries(models("yolo11n"))
    (tmp_path / "p").mkdir()
    prepare(Plan(tmp_path / "p", {"data": str(data)}, seeds=1), one)
    data.write_text(data.read_text().replace("square", "box"))
    # As long as no run is finished, there is nothing that it could spoil.
    plan = prepare(Plan(tmp_path / "p", {"data": str(data)}, seeds=1), one)
    finish(plan.runs()[0], 0.5)
    data.write_text(data.read_text().replace("box", "block"))
    with pytest.raises(ValueError, match=r"the content of .*data\.yaml has changed"):
        prepare(Plan(tmp_path / "p", {"data": str(data)}, seeds=1), one)


def test_a_plan_of_another_version_is_refused(tmp_path):
    (tmp_path / "plan.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match=r"plan\.json was written by another version"):
        load(tmp_path)


def test_every_run_is_told_its_seed_device_and_model(tmp_path):
    plan = pretended(tmp_path, {"yolo11n": [None]}, pretrained="x.pt")
    job = Run(plan, "yolo11n", 0).job("1")
    assert job["settings"] == {"data": "set.yaml", "epochs": 3, "pretrained": "x.pt", "device": "1"}
    assert (job["seed"], job["split"], job["label"]) == (0, "val", "yolo11n")
    assert "Conv" in (tmp_path / "models" / "yolo11n.yaml").read_text()
