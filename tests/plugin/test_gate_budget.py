"""Before a training: how many optimizer steps it has, how far they move a gate, and a warning."""

from __future__ import annotations

import logging
import re

import pytest
import torch
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer

from tests.entry_points import tiny
from yolo_cot.plugin.gates import budget as gate_budget
from yolo_cot.plugin.gates.budget import Budget, reachable


class Counted(DetectionTrainer):
    """A trainer that counts its optimizer steps and adds up the rates of its gates."""

    taken = way = 0

    def optimizer_step(self):
        super().optimizer_step()
        self.taken += 1
        self.way += self.optimizer.param_groups[-1]["lr"]


def trained(folder, **settings):
    """A training on six pictures, and its settings."""
    settings = {"imgsz": 32, "batch": 2, "epochs": 3, "optimizer": "AdamW", "lr0": 0.001, **settings}
    yolo = YOLO(tiny.model(folder).with_name("yolo11n-tiny.yaml"))
    yolo.train(
        trainer=Counted, data=tiny.data(folder / "d", 6), device="cpu", workers=0, amp=False, val=False, plots=False,
        project=folder / "runs", name="t", **settings,
    )  # fmt: skip
    return yolo.trainer, settings


@pytest.fixture
def warnings_told(monkeypatch):
    told = []
    monkeypatch.setattr(gate_budget.LOGGER, "warning", lambda text, *_: told.append(str(text)))
    return told


@pytest.mark.parametrize("more", [{"nbs": 2}, {"nbs": 5, "warmup_epochs": 1, "cos_lr": True}])
def test_steps_and_way_are_those_of_the_training_itself(tmp_path, more):
    trainer, settings = trained(tmp_path, **more)
    before = reachable(settings, images=6, classes=2)
    assert before.steps == trainer.taken
    assert before.reach == pytest.approx(trainer.way)
    assert before.optimizer == "AdamW"


def test_gates_moved_no_further_than_told(tmp_path):
    trainer, settings = trained(tmp_path, nbs=2, gate_lr=100)
    reach = reachable(settings, images=6, classes=2).reach
    for block in trainer.model.modules():
        if getattr(block, "gamma", None) is not None:
            assert 0.1 * reach < block.gamma.abs().max() <= reach * (1 + 1e-3)


def test_the_numbers_of_a_training_that_could_show_nothing():
    few = reachable({"epochs": 6, "batch": 16}, images=205, classes=3)
    assert few.optimizer in ("AdamW", "MuSGD")
    assert 18 <= few.steps <= 45  # a warm-up of at least 100 batches, in older releases, has more
    assert not few.enough
    assert few.told().startswith(f"{few.steps} optimizer steps can move a gate by about {few.reach:.2g} (")
    assert reachable({"epochs": 60, "batch": 8, "nbs": 8, "optimizer": "AdamW"}, images=205, classes=3).steps == 1560


def test_steps_are_few_where_pictures_are_gathered():
    assert gate_budget.steps(batches=13, epochs=6, batch=16, nbs=64, ramp=-1) == [
        3,
        3,
        3,
        4,
        3,
        3,
    ]  # steps of batches 3, 7, 11 | 15, ...
    assert gate_budget.steps(batches=13, epochs=2, batch=16, nbs=16, ramp=13) == [13, 13]
    assert gate_budget.steps(batches=2, epochs=2, batch=2, nbs=64, ramp=-1) == [0, 1]  # never more than there are


def test_the_way_of_a_step_depends_on_the_optimizer():
    rates = {"lr0": 0.01, "lrf": 1.0, "epochs": 10, "batch": 2, "nbs": 2, "warmup_epochs": 0, "gate_lr": 10}
    assert reachable({**rates, "optimizer": "AdamW"}, images=20, classes=2).reach == pytest.approx(10.0)
    rms = reachable({**rates, "optimizer": "RMSProp", "momentum": 0.9}, images=20, classes=2)
    assert rms.reach == pytest.approx(100.0)
    sgd = reachable({**rates, "optimizer": "SGD"}, images=20, classes=2)
    assert sgd.reach == pytest.approx(10 * gate_budget.AS_ADAM)


@pytest.mark.parametrize(
    ("budget", "change"),
    [
        (
            Budget("AdamW", 28, 0.1, batch=16, nbs=64, epochs=6, multiple=10.0),
            r"28 optimizer steps can move a gate by about 0.1 \(AdamW\), and 0.5 is needed to tell what the block "
            r"behind it is worth. Change nbs=16 \(now 64\), epochs=30 \(now 6\) or gate_lr=50 \(now 10\)\.",
        ),
        (
            Budget("SGD", 28, 0.0, batch=64, nbs=64, epochs=6, multiple=0.0),
            r"Change gate_lr=10 \(now 0\)\.",
        ),
    ],
)
def test_what_to_change_is_told(budget, change, monkeypatch):
    monkeypatch.setattr(gate_budget, "NEEDED", 0.5)
    with pytest.raises(AssertionError, match=change):
        assert budget.enough, budget.told()


def test_a_training_that_cannot_open_its_gates_warns_and_one_that_can_does_not(tmp_path, warnings_told):
    trained(tmp_path, nbs=64, epochs=1)
    assert re.match(r"gates: [1-3] optimizer steps can move", next(w for w in warnings_told if w.startswith("gates")))
    warnings_told.clear()
    trained(tmp_path, nbs=2, lr0=0.1, epochs=1)
    assert not [w for w in warnings_told if w.startswith("gates: ")]


def test_a_budget_is_asked_for_without_a_word_in_the_log(caplog):
    with caplog.at_level(logging.INFO):
        reachable({"epochs": 2}, images=10, classes=2)
    assert "optimizer" not in caplog.text
    assert not gate_budget.LOGGER.disabled


def test_only_gates_that_start_shut_are_warned_of():
    block = torch.nn.Sequential(gate_budget.GatedConv(8, gate=0.1))
    assert not gate_budget.shut(block)
    assert gate_budget.shut(torch.nn.Sequential(block, gate_budget.GatedConv(8, gate=0.0)))
