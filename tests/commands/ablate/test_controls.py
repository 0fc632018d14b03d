"""The controls that `yolo-cot ablate` makes."""

from __future__ import annotations

import pytest
import torch
import yaml
from ultralytics.nn.tasks import DetectionModel

from tests.commands.ablate.ablations import entries, models
from yolo_cot.commands.ablate.controls import controls
from yolo_cot.commands.ablate.controls.convolution import convolution
from yolo_cot.commands.ablate.controls.model import model_of, parameters
from yolo_cot.commands.ablate.controls.widened import widened
from yolo_cot.commands.ablate.plan import Plan
from yolo_cot.commands.ablate.prepare import prepare
from yolo_cot.nn import GatedConv
from yolo_cot.yaml_edit.insert import insert

CLASSES = 3


def test_a_gate_of_0_makes_the_controls_block_the_identity():
    x = torch.randn(2, 16, 5, 7)
    assert torch.equal(GatedConv(16, gate=0.0).eval()(x), x)
    block = GatedConv(16).eval()
    assert torch.equal(block(x), block.conv(x))


def test_the_convolution_stands_where_the_block_stood_behind_the_same_gate():
    base, model = models("yolo11s", "yolo11s-cot-outlook")
    control = convolution(model, base)
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
    mine = model_of("mine", text)
    row = convolution(mine, mine).values["backbone"][1]
    assert row == [-1, 1, "GatedConv", [] if gate is None else [{"gate": gate}]]


def test_the_control_of_swapped_composites_is_the_plain_model_and_is_not_run_twice():
    base, swapped = models("yolo11n", "yolo11n-c3k2cot")
    control = convolution(swapped, base)
    assert [row[2] for row in control.values["backbone"]] == [row[2] for row in base.values["backbone"]]
    # It is smaller than the base, so there is nothing to widen either.
    assert controls([base, swapped], CLASSES) == []


@pytest.mark.parametrize("block, gate", [("timm.se", True), ("CBAM", True), ("C2PSA", False)])
def test_blocks_of_timm_and_stock_modules_that_were_put_in_have_controls_too(block, gate):
    arguments = {"gate": 0.25} if gate else {}
    (base,) = models("yolo11n")
    model = model_of("yolo11n-x", insert("yolo11.yaml", block=block, at="P5", arguments=arguments).text)
    control, *wider = controls([base, model], CLASSES)
    rows = [row for part in ("backbone", "head") for row in control.values[part]]
    assert rows[11] == [-1, 1, "GatedConv", [arguments] if gate else []]
    assert [row[2] for row in rows].count("C2PSA") == 1  # the base's own stays
    assert control.entry.kind == "convolution"
    assert bool(wider) == (not gate)  # the small ones are nearer to the base than any wider one


def test_what_no_convolution_can_stand_in_for_has_no_such_control():
    (base,) = models("yolo11n")
    text = base.text.replace("- [-1, 1, Conv, [512, 3, 2]]", "- [-1, 1, CoTNetStem, [512]]", 1)
    assert text != base.text
    assert convolution(model_of("yolo11n-x", text), base) is None


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
    plan = prepare(Plan(folder, {"data": "coco8.yaml"}, seeds=1), entries(found))
    for model in found:
        built = DetectionModel(str(plan.model_file(model.label)), verbose=False)
        assert sum(p.numel() for p in built.parameters()) == parameters(model, None)
        assert built.yaml["scale"] == "s"
