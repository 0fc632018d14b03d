"""Gates learn in a group of their own, under every optimizer of Ultralytics; models without gates as ever."""

from __future__ import annotations

import copy
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
import yaml
from ultralytics import YOLO
from ultralytics.cfg import entrypoint, get_cfg
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.engine.tuner import Tuner
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel

from tests.entry_points import tiny
from yolo_cot import install, uninstall
from yolo_cot.plugin.hooks import gate_optimizer

OPTIMIZERS = ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSProp", "auto"]
if find_spec("ultralytics.optim"):
    OPTIMIZERS.append("MuSGD")
RATE, TIMES = 0.01, 7.0


@pytest.fixture
def model():
    torch.manual_seed(0)
    return DetectionModel(yaml.safe_load(tiny.MODEL), verbose=False)


def trainer(**args):
    found = BaseTrainer.__new__(BaseTrainer)
    found.args = get_cfg()
    vars(found.args).update({"gate_lr": TIMES, **args})
    found.data, found.epochs, found.epoch = {"nc": 2}, 10, 0
    return found


def build(model, name, iterations=100, **args):
    """What a trainer builds, with its schedule."""
    owner = trainer(**args)
    owner.optimizer = owner.build_optimizer(model, name, RATE, 0.9, 5e-4, iterations)
    owner._setup_scheduler()
    return owner


def names_in(model, group):
    names = {id(p): name for name, p in model.named_parameters()}
    return [names[id(p)] for p in group["params"]]


def is_gate(name):
    return name.endswith(".gamma")


def learn(optimizer, model, steps, seed):
    """Steps with gradients drawn from a seed."""
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=random)
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gates_leave_their_groups_for_one_without_decay_and_nothing_else_moves(model, name):
    groups = build(model, name).optimizer.param_groups
    assert sorted(names_in(model, groups[-1])) == ["model.4.gamma", "model.5.gamma"]
    assert (groups[-1]["param_group"], groups[-1]["weight_decay"]) == ("gate", 0.0)
    uninstall()
    try:
        stock = build(model, name).optimizer.param_groups
    finally:
        install()
    rate = min(group["lr"] for group in stock)
    assert groups[-1]["lr"] == pytest.approx(rate * TIMES)
    assert len(groups) == len(stock) + 1
    for group, before in zip(groups, stock):
        names = [n for n in names_in(model, before) if not is_gate(n)]
        assert names_in(model, group) == names
        assert {k: v for k, v in group.items() if k != "params"} == {k: v for k, v in before.items() if k != "params"}


def test_under_a_long_auto_training_the_group_is_there_too(model):
    owner = build(model, "auto", iterations=20_000)
    assert owner.optimizer.param_groups[-1]["param_group"] == "gate"
    assert owner.optimizer.param_groups[-1]["lr"] == pytest.approx(0.01 * TIMES)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_that_is_saved_and_loaded_goes_on_exactly(model, name):
    twin = copy.deepcopy(model)
    whole = build(model, name)
    learn(whole.optimizer, model, 3, seed=1)
    first = build(twin, name)
    learn(first.optimizer, twin, 3, seed=1)
    again = copy.deepcopy(twin)
    second = build(again, name)
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    for owner, net in ((whole, model), (second, again)):
        owner.epoch = 4
        learn(owner.optimizer, net, 3, seed=2)
    for a, b in zip(model.parameters(), again.parameters()):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_from_before_gates_had_a_group_is_taken_with_every_momentum_in_its_place(model, name):
    uninstall()
    try:
        old = build(model, name)
        learn(old.optimizer, model, 2, seed=1)
    finally:
        install()
    state = copy.deepcopy(old.optimizer.state_dict())
    new = build(model, name)
    new.optimizer.load_state_dict(state)
    for parameter in model.parameters():
        for key, value in old.optimizer.state[parameter].items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(new.optimizer.state[parameter][key]))
    group = new.optimizer.param_groups[-1]
    assert (len(group["params"]), group["weight_decay"]) == (2, 0.0)
    assert group["initial_lr"] == pytest.approx(min(g["initial_lr"] for g in old.optimizer.param_groups) * TIMES)
    learn(new.optimizer, model, 1, seed=2)


def test_a_state_of_another_model_is_refused_by_torch(model):
    state = build(DetectionModel("yolo11n-cot.yaml", verbose=False), "SGD").optimizer.state_dict()
    with pytest.raises(ValueError, match="parameter group"):
        build(model, "SGD").optimizer.load_state_dict(state)


class Watched(DetectionTrainer):
    """A trainer that notes, at every step, epoch and rate of the gates and of the weights."""

    def optimizer_step(self):
        super().optimizer_step()
        *others, gates = self.optimizer.param_groups
        weights = next(
            g for g in others if g["weight_decay"] and g["params"] and g["lr"] <= min(o["lr"] for o in others)
        )
        self.rates = [*getattr(self, "rates", []), (self.epoch, gates["lr"], weights["lr"])]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_in_a_training_gates_have_no_ramp_and_follow_the_schedule(name, tmp_path):
    yolo = YOLO(tiny.model(tmp_path).with_name("yolo11n-tiny.yaml"))
    yolo.train(
        trainer=Watched, data=tiny.data(tmp_path / "d", 6), epochs=3, imgsz=32, batch=2, nbs=2, device="cpu", workers=0,
        amp=False, optimizer=name, lr0=RATE, gate_lr=TIMES, warmup_epochs=2, val=False, plots=False,
        project=tmp_path / "runs", name="t",
    )  # fmt: skip
    rates = yolo.trainer.rates
    base = yolo.trainer.optimizer.param_groups[-1]["initial_lr"] / TIMES
    assert base == pytest.approx(RATE if name != "auto" else 0.001667, rel=0.01)
    assert len(rates) == 9
    assert rates[0][2] < base / 2  # the warm-up of Ultralytics is at work
    for epoch, gate, weight in rates:
        assert gate == pytest.approx(TIMES * base * yolo.trainer.lf(epoch))
        if epoch == 2 and hasattr(BaseTrainer, "_get_warmup_iterations"):  # before, a warm-up lasted 100 steps at least
            assert gate == pytest.approx(TIMES * weight)
    columns, *_, last = (tmp_path / "runs" / "t" / "results.csv").read_text().splitlines()
    index = columns.split(",").index(f"lr/pg{len(yolo.trainer.optimizer.param_groups) - 1}")
    assert float(last.split(",")[index]) == pytest.approx(rates[-1][1], rel=1e-4)


def test_a_model_without_gates_trains_to_the_very_same_weights(tmp_path):
    data = tiny.data(tmp_path / "d", 4)
    text = tiny.MODEL.replace("{gate: 0.0}", "{}").replace("{num_heads: 2, gate: 0.0}", "2")
    plain = text.replace("C3k2CoT", "C3k2").replace("CoTAttention, [{}]", "Conv, [128]")
    (tmp_path / "yolo11-plain.yaml").write_text(plain.replace("OutlookAttention, [2]", "Conv, [128]"))

    def weights(name):
        torch.manual_seed(0)
        yolo = YOLO(tmp_path / "yolo11n-plain.yaml")
        yolo.train(
            data=data, epochs=1, imgsz=32, batch=2, nbs=2, device="cpu", workers=0, amp=False, optimizer="AdamW",
            val=False, plots=False, project=tmp_path / "runs", name=name,
        )  # fmt: skip
        assert len(yolo.trainer.optimizer.param_groups) == 3
        return yolo.trainer.model.state_dict(), len(yolo.trainer.optimizer._optimizer_step_pre_hooks)

    ours, hooks = weights("ours")
    uninstall()
    try:
        stock, _ = weights("stock")
    finally:
        install()
    assert hooks == 0
    assert all(torch.equal(a, stock[name]) for name, a in ours.items())


def test_gate_lr_0_holds_the_gates_still(model):
    owner = build(model, "AdamW", gate_lr=0)
    before = model.model[4].gamma.clone()
    learn(owner.optimizer, model, 2, seed=1)
    assert torch.equal(model.model[4].gamma, before)


@pytest.mark.parametrize("value", [-1, True, float("nan"), float("inf")])
def test_a_multiple_that_is_none_is_refused(model, value):
    with pytest.raises(ValueError, match=f"a number of 0 or more; got {value}. Leave it out for"):
        build(model, "SGD", gate_lr=value)


def test_text_for_a_multiple_is_refused_as_ultralytics_refuses_it():
    with pytest.raises(TypeError, match="gate_lr=fast' is of invalid type str"):
        get_cfg(overrides={"gate_lr": "fast"})


def test_the_command_line_takes_gate_lr_and_the_run_records_it(tmp_path):
    model, data = tiny.model(tmp_path).with_name("yolo11n-tiny.yaml"), tiny.data(tmp_path / "d", 2)
    words = tiny.arguments(tmp_path, model=model, data=data, gate_lr=3, imgsz=32, batch=2, val=False)
    entrypoint(" ".join(["yolo", "train", *words]))
    folder = tmp_path / "runs" / "t"
    assert yaml.safe_load((folder / "args.yaml").read_text())["gate_lr"] == 3
    assert torch.load(folder / "weights" / "last.pt", weights_only=False)["train_args"]["gate_lr"] == 3


def test_tuning_searches_over_gate_lr(tmp_path):
    args = {"model": "yolo11n.yaml", "task": "detect", "gate_lr": 5.0, "space": {"gate_lr": (1.0, 100.0)}}
    network = SimpleNamespace()
    try:
        tuner = Tuner({**args, "project": str(tmp_path)}, model=network)
    except TypeError:  # older releases take no model
        tuner = Tuner({**args, "project": str(tmp_path)})
    assert 1 <= tuner._mutate()["gate_lr"] <= 100


def test_uninstalling_takes_the_argument_out():
    assert get_cfg().gate_lr == gate_optimizer.DEFAULT
    uninstall()
    try:
        assert not hasattr(BaseTrainer.build_optimizer, "__wrapped__")
        with pytest.raises(SyntaxError, match="gate_lr"):
            get_cfg(overrides={"gate_lr": 1})
    finally:
        install()
