"""The controls that `yolo-cot ablate` makes, its arguments, and what its folder accepts."""

from __future__ import annotations

import pytest
import torch
import yaml
from ultralytics.nn.tasks import DetectionModel

from tests.commands.ablate.ablations import PLAIN, finish, inputs, models, pretended
from yolo_cot.commands.ablate.controls import controls
from yolo_cot.commands.ablate.controls.convolution import convolution
from yolo_cot.commands.ablate.controls.model import model_of, parameters
from yolo_cot.commands.ablate.controls.widened import widened
from yolo_cot.commands.ablate.models import classes_of, models_of
from yolo_cot.commands.ablate.options import listed, read, train_settings
from yolo_cot.commands.ablate.plan import Run, load
from yolo_cot.commands.ablate.prepare import prepare
from yolo_cot.nn import GatedConv

CLASSES = 3


def test_a_gate_of_0_makes_the_controls_block_the_identity():
    x = torch.randn(2, 16, 5, 7)
    assert torch.equal(GatedConv(16, gate=0.0).eval()(x), x)
    block = GatedConv(16).eval()
    assert torch.equal(block(x), block.conv(x))


def test_the_convolution_stands_where_the_block_stood_behind_the_same_gate():
    (model,) = models("yolo11s-cot-outlook")
    control = convolution(model)
    before = [row for part in ("backbone", "head") for row in model.values[part]]
    after = [row for part in ("backbone", "head") for row in control.values[part]]
    changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
    assert changed == [11, 21]
    assert all(after[i] == [-1, 1, "GatedConv", [{"gate": 0.0}]] for i in changed)
    assert control.label == "yolo11s-cot-outlook-as-conv"
    assert control.values["scales"] == model.values["scales"]


@pytest.mark.parametrize("written, gate", [("[3, 4, 0.5]", 0.5), ("[{gate: 0.1, factor: 2}]", 0.1), ("[]", None)])
def test_the_gate_is_found_by_position_and_by_name(written, gate):
    text = f"nc: 2\nbackbone:\n  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, CoTAttention, {written}]\n"
    text += "head:\n  - [[1], 1, Detect, [nc]]\n"
    row = convolution(model_of("mine", text)).values["backbone"][1]
    assert row == [-1, 1, "GatedConv", [] if gate is None else [{"gate": gate}]]


def test_the_control_of_swapped_composites_is_the_plain_model_and_is_not_run_twice():
    base, swapped = models("yolo11n", "yolo11n-c3k2cot")
    control = convolution(swapped)
    assert [row[2] for row in control.values["backbone"]] == [row[2] for row in base.values["backbone"]]
    # It is smaller than the base, so there is nothing to widen either.
    assert controls([base, swapped], CLASSES) == []


@pytest.mark.parametrize("names", [("yolo11n", "yolo11n-cot"), ("yolo11s", "yolo11s-outlook")])
def test_the_widened_base_is_the_nearest_in_size(names):
    base, model = models(*names)
    control, aim = widened(base, model, CLASSES), parameters(model, CLASSES)
    size = parameters(control, CLASSES)
    assert parameters(base, CLASSES) < size
    assert abs(size / aim - 1) < 0.05
    scale = control.values["scales"][names[0][6]]
    assert scale[1] > base.values["scales"][names[0][6]][1]
    for step in (-8 / 1024, 8 / 1024):  # eight channels more or fewer in the widest rows are not nearer
        values = yaml.safe_load(control.text)
        values["scales"][names[0][6]][1] += step
        other = parameters(model_of(names[0], yaml.safe_dump(values)), CLASSES)
        assert abs(other - aim) >= abs(size - aim)


def test_models_that_share_a_control_run_it_once():
    made = controls(models("yolo11n", "yolo11n-cot", "yolo11n-outlook"), CLASSES)
    assert [(c.entry.kind, c.entry.of) for c in made] == [
        ("convolution", ("yolo11n-cot", "yolo11n-outlook")),
        ("widened", ("yolo11n-cot",)),
        ("widened", ("yolo11n-outlook",)),
    ]


def test_the_files_of_controls_build_at_the_scale_of_their_model(tmp_path):
    """In a folder whose name Ultralytics would take for a scale."""
    folder = tmp_path / "run2x"
    found = models("yolo11s", "yolo11s-cot")
    found += controls(found, None)
    plan = prepare(folder, [(m.entry, m.text) for m in found], 1, {"data": "coco8.yaml"}, "val", {})
    for model in found:
        built = DetectionModel(str(plan.model_file(model.label)), verbose=False)
        assert sum(p.numel() for p in built.parameters()) == parameters(model, None)
        assert built.yaml["scale"] == "s"


def test_more_seeds_and_models_may_be_added_and_nothing_else(tmp_path):
    made = pretended(tmp_path, {"yolo11n": [0.6, 0.61], "yolo11n-cot": [0.6]})
    entries = [(m.entry, m.text) for m in models("yolo11n", "yolo11n-outlook")]
    plan = prepare(tmp_path, entries, 3, dict(made.settings), "val", {})
    assert [e.label for e in plan.models] == ["yolo11n", "yolo11n-cot", "yolo11n-outlook"]
    assert plan.seeds == 3
    assert [run.name for run in plan.runs() if run.finished] == ["yolo11n-seed0", "yolo11n-cot-seed0", "yolo11n-seed1"]
    assert [run.seed for run in plan.runs()] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert load(tmp_path) == plan
    # Asking for fewer seeds takes none away.
    assert prepare(tmp_path, entries, 1, dict(made.settings), "val", {}).seeds == 3

    other = models("yolo11n-cot", "yolo11n")
    text = other[1].text.replace("[64, 3, 2]", "[32, 3, 2]")
    changed = [model_of("yolo11n", text), other[0]]
    for found, settings, split, told in (
        (models("yolo11n"), {"data": "set.yaml", "epochs": 4}, "val", "epochs was 3, now 4"),
        (models("yolo11n"), {"data": "set.yaml"}, "val", "epochs was 3, now None"),
        (models("yolo11n"), made.settings, "test", "split was val, now test"),
        (other, made.settings, "val", "the first model was yolo11n, now yolo11n-cot"),
        (changed, made.settings, "val", "the text of yolo11n has changed"),
    ):
        with pytest.raises(ValueError, match=rf"holds runs made otherwise: {told}"):
            prepare(tmp_path, [(m.entry, m.text) for m in found], 2, settings, split, {})


def test_a_data_yaml_that_changed_is_refused(tmp_path):
    inputs(tmp_path)
    data, entries = tmp_path / "d" / "data.yaml", [(m.entry, m.text) for m in models("yolo11n")]
    prepare(tmp_path / "p", entries, 1, {"data": str(data)}, "val", {})
    data.write_text(data.read_text().replace("square", "box"))
    # As long as no run is finished, there is nothing that it could spoil.
    plan = prepare(tmp_path / "p", entries, 1, {"data": str(data)}, "val", {})
    finish(plan.runs()[0], 0.5)
    data.write_text(data.read_text().replace("box", "block"))
    with pytest.raises(ValueError, match=r"the content of .*data\.yaml has changed"):
        prepare(tmp_path / "p", entries, 1, {"data": str(data)}, "val", {})


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


def test_lists_are_read_as_the_command_line_gives_them():
    assert listed("a.yaml, b.yaml") == listed(["a.yaml", "b.yaml"]) == listed("[a.yaml,b.yaml]")
    assert listed((0, 1)) == ["0", "1"]
    assert read({"device": (0, 1)}).device == ["0", "1"]
    assert read({"device": ""}).device == [""]


def test_every_run_gets_the_same_budget(tmp_path):
    options = read({"data": "coco8.yaml", "epochs": 3})
    assert train_settings(options) == {"plots": False, "patience": 0, "data": "coco8.yaml", "epochs": 3}
    assert classes_of("coco8.yaml") == 80


@pytest.mark.parametrize(
    "words, message",
    [
        ({"sedes": 3}, r"no argument 'sedes'\. Did you mean 'seeds'\?"),
        ({"seed": 3}, r"sets seed itself, for every run; got seed=3"),
        ({"seeds": 0}, r"seeds as a whole number of 1 or more; got 0"),
        ({"seeds": True}, r"seeds as a whole number of 1 or more; got True"),
        ({"controls": 2}, r"controls=True or controls=False; got 2"),
        ({"metric": "f1"}, r"metric from map, map50, last_map, last_map50; got f1"),
        ({"split": "dev"}, r"split from val, test, train; got dev"),
        ({"confidence": 95}, r"confidence from 0\.5 to below 1, such as 0\.95; got 95"),
        ({"plan": -1}, r"plan in points \(hundredths of mAP\) above 0; got -1"),
        ({"plan": True}, r"plan in points \(hundredths of mAP\) above 0; got True"),
        ({"epochs": 3}, r"needs data=, one data set's YAML; got None"),
        ({"data": ["a.yaml", "b.yaml"]}, r"one data set's YAML"),
        ({"data": "coco8.yaml", "batch": -1}, r"the same batch for every model.*got -1"),
        ({"data": "coco8.yaml", "device": "9"}, r"device=9 is not there: PyTorch sees \d GPUs"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(words, message):
    with pytest.raises(ValueError, match=message):
        train_settings(read(words))


def test_weights_that_are_not_there_are_refused():
    with pytest.raises(FileNotFoundError, match=r"no weights in pretrained=runs/x\.pt"):
        train_settings(read({"data": "coco8.yaml", "pretrained": "runs/x.pt"}))


@pytest.mark.parametrize(
    "names, error, message",
    [
        ([], ValueError, r"two or more with commas between them, the base first; got none"),
        (["yolo11n.yaml"], ValueError, r"the base first; got yolo11n\.yaml"),
        (["yolo11n.yaml", "yolo11n.yaml"], ValueError, r"two models are called yolo11n"),
        (["yolo11n.yaml", "yolo11n.pt"], ValueError, r"models= takes YAMLs.*got yolo11n\.pt"),
        (["yolo11n.yaml", "yolo11n-seg.yaml"], ValueError, r"yolo11n-seg is a model for the task 'segment'"),
        (["yolo11n.yaml", "yolo11n-cto.yaml"], FileNotFoundError, r"no model YAML 'yolo11n-cto\.yaml'"),
    ],
)
def test_models_that_cannot_be_compared_are_refused(names, error, message):
    with pytest.raises(error, match=message):
        models_of(names, "coco8.yaml", True)


def test_a_data_set_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no data YAML missing\.yaml"):
        classes_of("missing.yaml")
    (tmp_path / "model.yaml").write_text(PLAIN.replace("nc: 2\n", ""))
    with pytest.raises(ValueError, match=r"model\.yaml is no data YAML: it needs 'names'"):
        classes_of(str(tmp_path / "model.yaml"))
