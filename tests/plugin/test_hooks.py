"""Every hook makes something work: with all of them it works, and without that one it fails in a known way."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.utils.torch_utils import get_flops

from tests.conftest import ROOT
from tests.entry_points import tiny
from tests.entry_points.two_ranks import needs_cloudpickle
from yolo_cot.nn import CoTAttention
from yolo_cot.ops import route
from yolo_cot.plugin import bundle as bundles
from yolo_cot.plugin import hooks, install, registration, uninstall
from yolo_cot.plugin.catalog import table
from yolo_cot.plugin.gates import curves as gate_curves
from yolo_cot.plugin.hooks import data_yaml, gate_optimizer
from yolo_cot.plugin.row_errors import RowError

from .models import build, with_row

KEPT = ROOT / "tests" / "data" / "tiny-checkpoint.pt"
BLOCK = [-1, 1, "OutlookAttention", [{"gate": 0.0}]]


def a_config_is_found_by_its_name(folder, monkeypatch):
    assert tasks.yaml_model_load("yolo11n-cot.yaml")["scale"] == "n"


def a_wrong_name_is_told_with_the_nearest(folder, monkeypatch):
    with pytest.raises(FileNotFoundError) as caught:
        YOLO("yolo11n-cott.yaml")
    assert "yolo11n-cot.yaml" in str(caught.value), f"it says only {caught.value}"


def a_yaml_brings_the_blocks_of_a_file_beside_it(folder, monkeypatch):
    name = f"blocks_of_{folder.name}"
    (folder / f"{name}.py").write_text(
        "from torch import nn\nclass Mine(nn.Identity):\n    def __init__(self, c1): super().__init__()\n"
    )
    rows = with_row([-1, 1, "Mine", [{"gate": 0.0}]], blocks=[f"{name}.Mine"])
    (folder / "mine.yaml").write_text(yaml.safe_dump({key: value for key, value in rows.items() if key != "yaml_file"}))
    try:
        model = tasks.DetectionModel(str(folder / "mine.yaml"), verbose=False)
        assert type(model.model[2].block).__name__ == "Mine"
    finally:
        table.remove("Mine")


def a_checkpoint_of_a_block_whose_file_is_gone_is_told(folder, monkeypatch):
    name = f"gone_blocks_of_{folder.name}"
    module = type(sys)(name)
    module.Mine = type("Mine", (torch.nn.Identity,), {"__module__": name})
    monkeypatch.setitem(sys.modules, name, module)
    torch.save({"model": module.Mine(), "train_args": {}}, folder / "m.pt")
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(tasks, "check_requirements", lambda name: pytest.fail(f"it would install {name}"))
    with pytest.raises(
        ModuleNotFoundError, match=r"m.pt holds Mine of the module gone_blocks_of_\w+, which is not here"
    ):
        tasks.torch_safe_load(folder / "m.pt")


def a_data_set_is_found_by_its_name(folder, monkeypatch):
    from ultralytics.data.utils import check_det_dataset

    monkeypatch.setattr(data_yaml, "data_dir", lambda: tiny.data(folder / "sets").parent)
    assert check_det_dataset("data.yaml")["nc"] == 2


def a_head_of_ours_tells_its_task(folder, monkeypatch):
    file = folder / "yolo11-classes.yaml"
    rows = "backbone:\n  - [-1, 1, Conv, [16, 3, 2]]\nhead:\n  - [-1, 1, PooledClassify, [nc]]\n"
    file.write_text(f"nc: 3\nscales:\n  n: [1.0, 1.0, 64]\n{rows}")
    model = YOLO(str(file))
    assert (model.task, type(model.model)) == ("classify", tasks.ClassificationModel)


def rows_that_do_not_fit_are_told(folder, monkeypatch):
    model = with_row(BLOCK)
    model["head"].insert(0, [[-1, 0], 1, "Concat", [1]])
    with pytest.raises(RowError, match=r"mine.yaml row 3 \(Concat\)"):
        tasks.DetectionModel(model, verbose=False)


def pretrained_rows_find_their_place(folder, monkeypatch):
    source, target = build([-1, 1, "C3k2", [128]]), None
    model = with_row([-1, 1, "C3k2", [128]])
    model["backbone"].insert(2, BLOCK)
    target = tasks.DetectionModel(model, verbose=False)
    target.load(source, verbose=False)
    assert torch.equal(target.model[3].cv1.conv.weight, source.model[2].cv1.conv.weight)


def fusing_folds_our_blocks(folder, monkeypatch):
    # Older releases take a model with few norm layers for a fused one, so a single block would not do.
    model = tasks.DetectionModel(yaml.safe_load(tiny.MODEL), verbose=False).fuse(verbose=False)
    assert {block.fused for block in model.modules() if isinstance(block, CoTAttention)} == {True}


def own_macs(module, inputs, output):
    """Multiply-adds of one module without those of its parts: of our operations, and of convolutions."""
    if isinstance(module, torch.nn.Conv2d):
        return output[0, 0].numel() * module.weight.numel()
    return module.macs(inputs, output) if hasattr(module, "macs") else 0


def operations_of_ours_are_counted(folder, monkeypatch):
    model, counted = build(BLOCK), []
    hands = [
        m.register_forward_hook(lambda m, inputs, y: counted.append(own_macs(m, inputs, y)))
        for m in model.model[2].modules()
    ]
    model.eval()(torch.zeros(1, 3, 64, 64))
    for hand in hands:
        hand.remove()
    found = get_flops(model, 64) - get_flops(build([-1, 1, "nn.Identity", []]), 64)
    assert found * 1e9 / 2 == pytest.approx(sum(counted), rel=1e-3)


def the_script_of_several_gpus_imports_the_package(folder, monkeypatch):
    from ultralytics.utils import dist

    args = SimpleNamespace(model="yolo11n-cot.yaml")
    trainer = SimpleNamespace(args=args, hub_session=None, model=args.model, callbacks={})
    file = Path(dist.generate_ddp_file(trainer))
    text = file.read_text()
    dist.ddp_cleanup(trainer, str(file))
    assert "import yolo_cot" in text.partition("from ultralytics")[0], "the script does not import yolo_cot"


def commands_that_ultralytics_starts_know_the_blocks(folder, monkeypatch):
    from ultralytics.engine import trainer, tuner

    model = tiny.model(folder).with_name("yolo11n-tiny.yaml")
    module = trainer if hasattr(trainer, "subprocess") else tuner
    words = ["export", f"model={model}", "format=torchscript", "imgsz=32", "device=cpu"]
    done = module.subprocess.run(
        [sys.executable, "-m", "ultralytics.cfg.__init__", *words], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def restricted_loading_takes_our_classes(folder, monkeypatch):
    torch.save({"model": build(BLOCK), "train_args": {}}, folder / "ours.pt")
    stored = torch.load(folder / "ours.pt", weights_only=False)["model"]
    allowed = [*{type(m) for m in stored.modules() if not type(m).__module__.startswith("yolo_cot")}]
    with torch.serialization.safe_globals([*allowed, *_plain_globals(folder / "ours.pt")]):
        torch.load(folder / "ours.pt", weights_only=True)


def _plain_globals(file: Path) -> list:
    """What a checkpoint refers to beside our classes."""
    names = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    places = [name.rpartition(".") for name in names if not name.startswith("yolo_cot")]
    return [getattr(import_module(module), name) for module, _, name in places]


def a_file_cut_short_is_told(folder, monkeypatch):
    (folder / "cut.pt").write_bytes(KEPT.read_bytes()[:5000])
    with pytest.raises(TypeError, match=r"cut.pt is not a loadable checkpoint: the file is truncated or corrupted"):
        YOLO(str(folder / "cut.pt"))


def a_bundle_opens(folder, monkeypatch):
    model = YOLO(str(bundles.write(KEPT, folder / "kept.bundle"))).model
    assert isinstance(model, tasks.DetectionModel), f"a bundle was opened as {model!r}"


def a_trainer_gets_the_log_of_gates(folder, monkeypatch):
    from ultralytics.engine.trainer import BaseTrainer
    from ultralytics.utils import callbacks

    trainer = BaseTrainer.__new__(BaseTrainer)
    trainer.callbacks = callbacks.get_default_callbacks()
    callbacks.add_integration_callbacks(trainer)
    assert gate_curves.write_row in trainer.callbacks["on_train_epoch_end"]
    assert gate_curves.plot in trainer.callbacks["on_train_end"]


def gate_lr_is_an_argument_of_training(folder, monkeypatch):
    from ultralytics.cfg import get_cfg

    assert get_cfg(overrides={"gate_lr": 3}).gate_lr == 3


def an_optimizer_gets_a_group_for_gates(folder, monkeypatch):
    from ultralytics.cfg import get_cfg
    from ultralytics.engine.trainer import BaseTrainer

    trainer = BaseTrainer.__new__(BaseTrainer)
    trainer.args = get_cfg()
    optimizer = trainer.build_optimizer(build(BLOCK), name="SGD")
    assert optimizer.param_groups[-1]["lr"] == pytest.approx(0.001 * gate_optimizer.DEFAULT)


def an_export_says_what_it_is_for(folder, monkeypatch):
    from ultralytics.engine.exporter import Exporter

    seen: list[str] = []

    def look(x):
        seen.append(route.target())
        return x

    monkeypatch.setattr(Exporter, "__call__", lambda self, model: torch.jit.trace(look, torch.zeros(1)))
    YOLO(str(tiny.model(folder).with_name("yolo11n-tiny.yaml"))).export(format="openvino")
    assert "openvino" in seen, "the export says nothing"


@dataclass(frozen=True)
class Proof:
    """Something that users do, and what is raised when its hook is missing.

    Attributes:
        use: works with all hooks.
        error: the exception without the hook.
        match: the text that it has then, a regular expression.
        more: the tests that do the same in a whole training, as `module::name`.
        unless: whether it cannot be tried here, and why.
    """

    use: Callable
    error: type[Exception]
    match: str
    more: tuple[str, ...] = ()
    unless: tuple[bool, str] = (False, "")


RANKS = "tests.entry_points.test_processes::test_without_the_import_in_the_script_the_ranks_do_not_know_the_blocks"
TRAINED = "tests.plugin.test_gates::test_every_epoch_has_the_gates_that_were_saved"
TAKEN = "tests.plugin.test_gate_optimizer::test_the_command_line_takes_gate_lr_and_the_run_records_it"
LEARNED = "tests.plugin.test_gate_optimizer::test_in_a_training_gates_have_no_ramp_and_follow_the_schedule"
PROOFS: dict[Callable, Proof] = {
    hooks.config_lookup: Proof(a_config_is_found_by_its_name, FileNotFoundError, "yolo11n?-cot.yaml"),
    hooks.wrong_names: Proof(a_wrong_name_is_told_with_the_nearest, AssertionError, "it says only"),
    hooks.own_blocks: Proof(
        a_yaml_brings_the_blocks_of_a_file_beside_it, RowError, "names 'Mine', which is to come from"
    ),
    hooks.data_lookup: Proof(a_data_set_is_found_by_its_name, FileNotFoundError, "data.yaml"),
    hooks.task_of_heads: Proof(a_head_of_ours_tells_its_task, Exception, "task"),
    hooks.patch_model_init: Proof(rows_that_do_not_fit_are_told, RuntimeError, "Sizes of tensors must match"),
    hooks.load_weights: Proof(pretrained_rows_find_their_place, AssertionError, "equal"),
    hooks.patch_fuse: Proof(fusing_folds_our_blocks, AssertionError, "False"),
    hooks.flops: Proof(operations_of_ours_are_counted, AssertionError, r"== \d+ ± "),
    hooks.ddp_children: Proof(
        the_script_of_several_gpus_imports_the_package,
        AssertionError,
        "does not import yolo_cot",
        (RANKS, "tests.entry_points.test_processes::test_two_ranks_on_gloo_train_from_a_bare_name"),
        (needs_cloudpickle(), "this Ultralytics writes the script with cloudpickle, which is not installed"),
    ),
    hooks.command_children: Proof(
        commands_that_ultralytics_starts_know_the_blocks,
        AssertionError,
        "KeyError: 'C3k2CoT'",
        ("tests.entry_points.test_processes::test_tuning_trains_our_blocks",),
    ),
    hooks.safe_globals: Proof(
        restricted_loading_takes_our_classes,
        Exception,
        r"Weights only load failed[\s\S]*yolo_cot",
        ("tests.entry_points.test_checkpoints::test_restricted_loading_takes_our_classes",),
        (
            not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"),
            "this torch does not tell what a checkpoint refers to",
        ),
    ),
    hooks.damaged_files: Proof(a_file_cut_short_is_told, Exception, "Invalid argument|PytorchStreamReader|corrupted"),
    hooks.gate_lr_argument: Proof(gate_lr_is_an_argument_of_training, SyntaxError, "gate_lr", (TAKEN,)),
    hooks.gate_group: Proof(an_optimizer_gets_a_group_for_gates, AssertionError, "0.001 ==", (LEARNED,)),
    hooks.checkpoint_blocks: Proof(
        a_checkpoint_of_a_block_whose_file_is_gone_is_told, pytest.fail.Exception, "it would install gone_blocks"
    ),
    hooks.patch_bundle_loading: Proof(a_bundle_opens, Exception, "a bundle was opened as|kept.bundle"),
    hooks.gate_log: Proof(a_trainer_gets_the_log_of_gates, AssertionError, "write_row", (TRAINED,)),
    hooks.export_format: Proof(an_export_says_what_it_is_for, AssertionError, "the export says nothing"),
}


@contextmanager
def without(left_out: Callable) -> Iterator[None]:
    """Everything registered but one hook."""
    every = registration.HOOKS
    try:
        uninstall()
        registration.HOOKS = tuple(hook for hook in every if hook is not left_out)  # type: ignore[misc]
        install()
        yield
    finally:
        uninstall()
        registration.HOOKS = every  # type: ignore[misc]
        install()


def test_every_hook_has_its_proof():
    assert set(PROOFS) == set(hooks.HOOKS)
    assert registration.HOOKS is hooks.HOOKS
    assert not registration.waiting()


@pytest.mark.parametrize("hook", PROOFS, ids=lambda hook: f"{hook.__module__.rpartition('.')[2]}.{hook.__name__}")
def test_it_works_and_fails_without_its_hook(hook, tmp_path, monkeypatch):
    proof = PROOFS[hook]
    if proof.unless[0]:
        pytest.skip(proof.unless[1])
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    proof.use(tmp_path / "with", monkeypatch)
    with without(hook), pytest.raises((proof.error, pytest.fail.Exception)) as caught:
        proof.use(tmp_path / "without", monkeypatch)
    assert re.search(proof.match, str(caught.value)), repr(caught.value)


def test_the_trainings_that_the_table_names_are_there():
    named = [test for proof in PROOFS.values() for test in proof.more]
    assert len(named) >= 4
    for module, _, name in (test.partition("::") for test in named):
        assert callable(getattr(import_module(module), name))


def test_without_names_and_parser_nothing_of_ours_is_built():
    rows = with_row(BLOCK)
    uninstall()
    try:
        with pytest.raises(KeyError, match="OutlookAttention"):
            tasks.DetectionModel(rows, verbose=False)
    finally:
        install()
    assert type(build(BLOCK).model[2]).__name__ == "OutlookAttention"
