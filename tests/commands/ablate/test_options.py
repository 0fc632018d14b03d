"""The arguments of `yolo-cot ablate`: read, checked, and turned into train arguments."""

from __future__ import annotations

import pytest

from tests.commands.ablate.ablations import PLAIN, pretended
from tests.commands.verbs import call
from yolo_cot.commands import ablate
from yolo_cot.commands.ablate.models import given
from yolo_cot.commands.ablate.options import Arguments, train_settings
from yolo_cot.commands.arguments import read


def test_names_of_devices_and_models_are_read_as_lists():
    found = read(Arguments, ["a.yaml, b.yaml", "device=[0,1]", "epochs=3", "gate_lr=5"])
    assert (found.models, found.device) == (("a.yaml", "b.yaml"), ("0", "1"))
    assert found.settings == {"epochs": 3, "gate_lr": 5}


def test_every_run_gets_the_same_budget():
    settings = train_settings(Arguments(data="coco8.yaml", settings={"epochs": 3}))
    assert settings == {"plots": False, "patience": 0, "data": "coco8.yaml", "epochs": 3}


@pytest.mark.parametrize(
    "words, message",
    [
        ({"sedes": 3}, r"no argument 'sedes'\. Did you mean 'seeds'\?"),
        ({"seed": 3}, r"no argument 'seed'\. Did you mean 'seeds'\?"),
        ({"time": 3}, r"no argument 'time'"),
        ({"seeds": 0}, r"needs seeds as a whole number of at least 1; got seeds=0"),
        ({"controls": 2}, r"needs controls as True or False; got controls=2"),
        ({"split": "dev"}, r"needs split as one of val, test, train; got split=dev"),
        ({"runtime": "tflite"}, r"needs runtime as one of torch, torchscript, onnx"),
        ({"confidence": 95}, r"needs confidence as a number from 0\.5 to below 1, such as 0\.95; got confidence=95"),
        ({"plan": -1}, r"plan as a number of points \(hundredths of the metric\) above 0; got plan=-1"),
        ({"sd": 1}, r"sd= belongs to plan="),
        ({"epochs": 3}, r"needs models= and data=\. Example: yolo-cot ablate models="),
        ({"models": "a,b", "data": "coco8.yaml", "batch": -1}, r"the same batch for every model.*got batch=-1"),
        ({"models": "a,b", "data": "coco8.yaml", "device": "9"}, r"device=9 is not there: PyTorch sees \d GPUs"),
        ({"models": "yolo11n.yaml", "data": "coco8.yaml"}, r"the base first; got yolo11n\.yaml"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(words, message):
    with pytest.raises(ValueError, match=message):
        call(ablate, **words)


def test_another_report_compares_what_the_ablation_was_begun_with(tmp_path, monkeypatch):
    plan = pretended(tmp_path, {"yolo11n": [0.6, 0.61], "yolo11n-cot": [0.6, 0.61]})
    plan.own = {"metric": "last_map50", "confidence": 0.9, "runtime": "onnx", "any_budget": True}
    plan.save()
    runtimes = []
    monkeypatch.setattr(ablate, "latencies", lambda plan, runtime, device: runtimes.append(runtime) or {})
    page, said = tmp_path / "report.md", r"Another metric: this ablation was made with metric=last\_map50."
    call(ablate, report=True, project=tmp_path)
    text = page.read_text()
    assert "mAP50 of the last epoch" in text
    assert "Intervals are at 90.00% each." in text
    assert said not in text
    call(ablate, report=True, project=tmp_path, metric="map", confidence=0.95, runtime="torch")
    text = page.read_text()
    assert said in text
    assert "Intervals are at 95.00% each." in text  # as by default, and yet taken because it is named
    assert runtimes == ["onnx", "torch"]


def test_weights_that_are_not_there_are_refused():
    with pytest.raises(FileNotFoundError, match=r"no weights in pretrained=runs/x\.pt"):
        train_settings(Arguments(data="coco8.yaml", settings={"pretrained": "runs/x.pt"}))


@pytest.mark.parametrize(
    "names, error, message",
    [
        ((), ValueError, r"two or more with commas between them, the base first; got none"),
        (("yolo11n.yaml", "yolo11N.yaml"), ValueError, r"two models are called yolo11n"),
        (("yolo11n.yaml", "yolo11n.pt"), ValueError, r"models= takes YAMLs.*got yolo11n\.pt"),
        (
            ("yolo11n.yaml", "yolo11n-seg.yaml"),
            ValueError,
            r"of one task.*yolo11n: detect, yolo11n-seg: segment",
        ),
        (("yolo11n.yaml", "yolo11n-cto.yaml"), FileNotFoundError, r"no model YAML 'yolo11n-cto\.yaml'"),
    ],
)
def test_models_that_cannot_be_compared_are_refused(tmp_path, monkeypatch, names, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yolo11N.yaml").write_text(PLAIN)
    with pytest.raises(error, match=message):
        given(names)


@pytest.mark.parametrize(
    "words, message",
    [
        ({"data": "missing.yaml"}, r"missing\.yaml"),
        ({"split": "test"}, r"has no split 'test'\. Add it, or measure another with split="),
        ({"metric": "f1"}, r"metric= takes one of map, map50, .* for the task 'detect'; got f1"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_anything_is_written(ablation, words, message):
    with pytest.raises(ValueError, match=message):
        ablation.run(**words)
    assert not ablation.project.exists()


def test_gates_that_cannot_open_are_refused_unless_told_otherwise(ablation):
    told = r"yolo11n-tiny would say nothing .* 1 optimizer step.* Change .*epochs=.*gate_lr=.*any_budget=True"
    with pytest.raises(ValueError, match=told):
        ablation.run(any_budget=False)
    assert not ablation.made
    ablation.run(any_budget=False, epochs=100, gate_lr=1000)
    assert len(ablation.made) == 4
