"""Five ideas in every base and task YAML: clean, built, run, fused, and every tensor of the base's weights in its row.

The whole is marked sweep; some of each kind of base run always.
"""

from __future__ import annotations

import pytest
import torch
import yaml
from torch import Tensor, nn
from ultralytics.nn.modules import RTDETRDecoder

from tests.contract import open_gates
from tests.tolerances import FUSED, distance
from tests.yaml_edit.marked import landed, loaded, marked, rowwise
from yolo_cot.plugin.build import build
from yolo_cot.yaml_edit.graph import rows_of
from yolo_cot.yaml_edit.lint import lint_model
from yolo_cot.yaml_edit.recipe_files import made
from yolo_cot.yaml_edit.recipe_names import Recipe, recipes

FIVE = ("cot", "outlook", "cot-outlook", "cotblock", "outlooker")
QUICK = {
    "yolo26-outlooker-seg.yaml",
    "yolo26-cot-sem.yaml",
    "yolo11-cot-outlook-cls.yaml",
    "yolov9t-outlook.yaml",
    "yolov8-cotblock-worldv2.yaml",
    "yolov3-outlooker-tiny.yaml",
    "rtdetr-resnet50-cot.yaml",
}
# What cannot be, with the reason: the backbone is one row, so there is one level for two blocks.
IMPOSSIBLE = {"yolo11-cot-outlook-cls-resnet18.yaml"}
EVERY = [recipe for recipe in recipes() if recipe.idea.name in FIVE and recipe.name not in IMPOSSIBLE]


@torch.no_grad()
def maps(model: nn.Module, x: Tensor) -> Tensor:
    """What the head is given, as one tensor; its own output compares less closely, for angles in it are large."""
    given: list[Tensor] = []
    hook = model.model[-1].register_forward_pre_hook(
        lambda _, args: given.extend(args[0] if isinstance(args[0], list) else [args[0]])
    )
    model(x)
    hook.remove()
    return torch.cat([tensor.flatten() for tensor in given])


@torch.no_grad()
def with_measured_norms(model: nn.Module, x: Tensor) -> nn.Module:
    """Batch norm measured on what comes in: without that, an untrained model's output hardly depends on its rows."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    model(x)
    for norm in norms:
        norm.eval()
    return model


@torch.no_grad()
def with_closed_gates(model: nn.Module, x: Tensor) -> Tensor:
    """What the head is given without our blocks."""
    gates = {p: p.clone() for name, p in model.named_parameters() if name.endswith("gamma")}
    for gate in gates:
        gate.zero_()
    output = maps(model, x)
    for gate, value in gates.items():
        gate.copy_(value)
    return output


def test_the_sweep_has_every_base_and_the_sample_is_part_of_it():
    assert len(EVERY) == 5 * len({recipe.base for recipe in EVERY}) - len(IMPOSSIBLE)
    names = {recipe.name for recipe in recipes()}
    assert len(QUICK & names) >= 5
    assert names >= IMPOSSIBLE


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(r, id=r.name, marks=() if r.name in QUICK else pytest.mark.sweep) for r in EVERY],
)
def test_a_recipe_is_clean_builds_runs_fuses_and_takes_every_tensor_of_its_base(recipe: Recipe):
    edited = made(recipe)
    model = yaml.safe_load(edited.text)
    assert [str(fault) for fault in lint_model(model)] == []
    rows = rows_of(model)
    assert {row.module for row in rows} >= set(recipe.idea.blocks)
    built = build(model, name=recipe.name)

    source = marked(build(yaml.safe_load(recipe.base.read_text(encoding="utf-8")), name=recipe.base.name))
    found = landed(source, loaded(build(model, name=recipe.name), source))
    assert len(found) == len(source.state_dict())
    for new, old in found.items():
        if old.startswith("model."):
            row, rest = rowwise(old)
            assert rowwise(new) == (edited.moved[row], rest)

    # RT-DETR chooses its 300 queries among the pixels; norms need more than one of P6, YOLOv9e more than 4 of P5.
    wide = "-p6" in recipe.name or "yolov9e" in recipe.name
    side = 160 if isinstance(built.model[-1], RTDETRDecoder) else 128 if wide else 64
    x = torch.rand(1, 3, side, side, dtype=torch.float64)
    built = with_measured_norms(open_gates(built).double().eval(), x)
    before = maps(built, x)
    assert before.isfinite().all()
    assert distance(with_closed_gates(built, x), before) > 1000 * FUSED
    built.fuse(verbose=False)
    assert distance(maps(built, x), before) < FUSED
