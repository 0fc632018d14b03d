"""The time for a picture, and the control that is as slow as the model."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import pytest

from tests.commands.ablate.ablations import PLAIN, finish, pretended
from tests.entry_points import tiny
from yolo_cot.commands.ablate import latency
from yolo_cot.commands.ablate.controls import equal_latency as control
from yolo_cot.commands.ablate.controls.model import model_of
from yolo_cot.commands.ablate.controls.widened import scale_of
from yolo_cot.commands.ablate.models import with_controls
from yolo_cot.commands.ablate.plan import Plan, load
from yolo_cot.commands.ablate.prepare import begun, prepare
from yolo_cot.commands.ablate.report.tables import models_table, time_table
from yolo_cot.commands.ablate.report.verdicts import verdicts
from yolo_cot.commands.ablate.results import Results


@pytest.fixture
def no_clock(monkeypatch):
    """Time that goes by the number of parameters, so that no test depends on the machine."""
    monkeypatch.setattr(control, "exported", lambda file, *_: file)
    monkeypatch.setattr(control, "forward", lambda file, _: file)
    built = {}

    def interleaved(files, rounds):
        return {name: built.setdefault(file, seconds_of(file)) for name, file in files.items()}

    def seconds_of(file):
        from ultralytics import YOLO

        return 1e-6 * sum(p.numel() for p in YOLO(file).model.parameters())

    monkeypatch.setattr(control, "interleaved", interleaved)


TINY = model_of("yolo11n-tiny", tiny.MODEL)
BASE = model_of("yolo11n-plain", PLAIN)


def test_the_base_is_widened_until_it_takes_as_long(no_clock):
    found = control.equal_latency(BASE, TINY, 2, 64)
    assert (found.entry.kind, found.entry.of) == ("widened", ())
    assert found.entry.roles("yolo11n-tiny") == ("equal_latency",)
    assert scale_of(found)[0] > scale_of(BASE)[0]
    assert dict(found.entry.same_time)["yolo11n-tiny"] == pytest.approx(1, abs=0.1)
    # The other way round the model is the faster one.
    itself = control.equal_latency(TINY, BASE, 2, 64)
    assert (itself.text, itself.entry.kind) == (TINY.text, "given")
    assert [label for label, _ in itself.entry.same_time] == [BASE.label]


def test_a_width_of_the_same_size_and_the_same_time_is_one_model_compared_in_both_roles(no_clock, tmp_path):
    """Time goes by parameters here, so that both searches find the same width."""
    model, roles = "yolo11n-tiny", ("widened", "equal_latency")
    made = with_controls([BASE, TINY], 2, 64, True, None)
    (wider,) = (m for m in made if m.entry.kind == "widened")
    assert wider.entry.roles(model) == roles
    assert wider.entry.roles(BASE.label) == ()
    plan = prepare(Plan(tmp_path, {"data": "set.yaml"}, seeds=1), [(m.entry, m.text) for m in made])
    assert load(tmp_path).models == plan.models
    for run in plan.runs():
        finish(run, 0.5)
    results = Results(plan)
    assert [pair.roles for pair in results.pairs()][-1] == roles
    text = str(verdicts(results.comparisons(0.95)))
    assert f"{wider.label}, the base widened to the same size and the width of the base that comes nearest" in text
    assert re.search(rf"takes [01]\.\d\d times as long as {model} in onnxruntime", str(models_table(results).rows))


def test_the_base_itself_may_be_the_control_of_time(no_clock, monkeypatch, tmp_path):
    """It is compared once, in both roles, and that no width comes nearer is not measured again."""
    # The model has no block that costs time, so the base comes nearest.
    small = model_of("yolo11n-small", tiny.MODEL.replace("[128, 3, 2]", "[16, 3, 2]"))
    made = with_controls([BASE, small], 2, 64, True, None)
    plan = prepare(Plan(tmp_path, {"data": "set.yaml"}, seeds=1), [(m.entry, m.text) for m in made])
    for run in plan.runs():
        finish(run, 0.5)
    pairs = Results(load(tmp_path)).pairs()
    assert [pair.roles for pair in pairs if pair.other == BASE.label] == [("base", "equal_latency")]
    monkeypatch.setattr("yolo_cot.commands.ablate.models.equal_latency", None)
    assert with_controls([BASE, small], 2, 64, True, begun(tmp_path)) == made


def test_a_latency_that_was_measured_for_a_plan_is_not_measured_again(no_clock, tmp_path, monkeypatch):
    made = with_controls([BASE, TINY], 2, 64, True, None)
    plan = prepare(Plan(tmp_path, {"data": "set.yaml"}, seeds=1), [(m.entry, m.text) for m in made])
    assert begun(tmp_path) is None  # no run is finished, so all may still change
    finish(plan.runs()[0], 0.5)
    monkeypatch.setattr("yolo_cot.commands.ablate.models.equal_latency", None)
    again = with_controls([BASE, TINY], 2, 64, True, begun(tmp_path))
    assert again == made


def test_the_yaml_of_an_rtdetr_is_exported_to_be_timed(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "rtdetr-tiny.yaml").write_text(tiny.RTDETR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's exporter, on the stock head
        assert latency.exported(tmp_path / "rtdetr-tiny.yaml", "onnx", 64).is_file()


def test_an_ablation_goes_on_with_controls_of_time_and_trains_none_anew(no_clock, tmp_path):
    """What was a control of size becomes one of time, too; its runs stay."""
    first = with_controls([BASE, TINY], 2, 64, False, None)
    plan = prepare(Plan(tmp_path, {"data": "set.yaml"}, seeds=1), [(m.entry, m.text) for m in first])
    finish(plan.runs()[0], 0.5)
    more = with_controls([BASE, TINY], 2, 64, True, plan)
    plan = prepare(Plan(tmp_path, {"data": "set.yaml"}, seeds=1), [(m.entry, m.text) for m in more])
    assert [e.label for e in plan.models] == [m.label for m in first]
    assert plan.models[-1].roles("yolo11n-tiny") == ("widened", "equal_latency")


def test_a_plan_with_a_kind_of_control_that_is_unknown_is_of_another_version(tmp_path):
    plan = pretended(tmp_path, {"yolo11n": [0.6], "yolo11n-cot": [0.6]})
    plan.models[-1] = replace(plan.models[-1], kind="equal_latency")
    plan.save()
    with pytest.raises(ValueError, match=r"another version"):
        load(tmp_path)


def test_models_are_timed_alike_and_measured_again_only_for_another_runtime(tmp_path, monkeypatch):
    plan = pretended(tmp_path, {"yolo11n": [0.6], "yolo11n-cot": [0.6]})
    assert latency.latencies(plan, "torch", "cpu") == {}  # no weights, nothing to time
    for run in plan.runs():
        (run.folder / "weights").mkdir()
        (run.folder / "weights" / "best.pt").touch()
    asked = []
    monkeypatch.setattr(latency, "measure", lambda plan, runtime, device: asked.append((runtime, device)) or {})
    latency.latencies(plan, "torch", "0")
    (tmp_path / "latency.json").write_text('{"runtime": "torch", "forward": {"yolo11n": [1], "yolo11n-cot": [1]}}')
    latency.latencies(plan, "torch", "0")
    latency.latencies(plan, "onnx", "cpu")
    finish(plan.runs()[0], 0.5)
    (tmp_path / "latency.json").write_text("")
    latency.latencies(plan, "torch", "cpu")
    assert asked == [("torch", "cuda:0"), ("onnx", "cpu"), ("torch", "cpu")]


def test_the_table_of_times_has_the_order_of_the_plan(tmp_path):
    """They are timed in another where a checkpoint of the first seed is not there."""
    results = Results(pretended(tmp_path, {"yolo11n": [0.6], "yolo11n-cot": [0.6], "yolo11n-outlook": [0.6]}))
    found = {"yolo11n-cot": (2.0, 1.9, 2.1), "yolo11n": (1.0, 0.9, 1.1)}
    how = {"imgsz": 64, "runtime": "onnx", "device": "cpu", "threads": 1, "rounds": 50}
    rows = time_table(results, {"forward": found, "whole": found, **how}).rows
    assert [row[0] for row in rows] == ["yolo11n", "yolo11n-cot"]
    assert [row[2] for row in rows] == ["1.00", "2.00"]


def test_a_model_runs_in_onnxruntime_as_in_torch(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    from ultralytics import YOLO

    tiny.model(tmp_path)
    weights = tmp_path / "best.pt"
    YOLO(tmp_path / "yolo11n-tiny.yaml").save(weights)
    monkeypatch.setattr(latency, "ROUNDS", 1)
    runs = {r: latency.forward(latency.exported(weights, r, 64), 64) for r in ("torch", "onnx")}
    times = latency.medians(runs, "cpu")
    assert set(times) == {"torch", "onnx"}
    assert all(middle > 0 and low <= middle <= high for middle, low, high in times.values())
    (tmp_path / "broken.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"cannot be exported for runtime=onnx"):
        latency.exported(tmp_path / "broken.pt", "onnx", 64)
