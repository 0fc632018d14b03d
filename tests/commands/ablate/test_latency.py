"""The time for a picture, and the control that is as slow as the model."""

from __future__ import annotations

import pytest

from tests.commands.ablate.ablations import PLAIN, finish, pretended
from tests.entry_points import tiny
from yolo_cot.commands.ablate import latency
from yolo_cot.commands.ablate.controls import equal_latency as control
from yolo_cot.commands.ablate.controls.model import model_of
from yolo_cot.commands.ablate.controls.widened import scale_of
from yolo_cot.commands.ablate.models import with_controls
from yolo_cot.commands.ablate.plan import Plan
from yolo_cot.commands.ablate.prepare import prepare


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
    assert (found.entry.kind, found.entry.of) == ("equal_latency", ("yolo11n-tiny",))
    assert scale_of(found)[0] > scale_of(BASE)[0]
    times = float(found.entry.note.split("takes ")[1].split(" times")[0])
    assert times == pytest.approx(1, abs=0.1)
    # The other way round the model is the faster one.
    assert control.equal_latency(TINY, BASE, 2, 64) is None


def test_a_latency_that_was_measured_for_a_plan_is_not_measured_again(tmp_path, monkeypatch):
    kept = model_of("yolo11n-plain-width-0.3-latency", PLAIN.replace("0.25", "0.3"), "equal_latency", ("yolo11n-tiny",))
    plan = prepare(Plan(tmp_path, {"data": "set.yaml"}, seeds=1), [(m.entry, m.text) for m in (BASE, TINY, kept)])
    monkeypatch.setattr("yolo_cot.commands.ablate.models.equal_latency", None)
    again = with_controls([BASE, TINY], 2, 64, True, plan)
    assert [m.label for m in again][-1] == "yolo11n-plain-width-0.3-latency"
    assert again[-1].text == kept.text


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
