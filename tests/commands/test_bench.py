"""The benchmark refuses to time what is wrong, and counts what is computed."""

from __future__ import annotations

import os

import pytest
import torch

from tests.live import assert_sees
from tests.processes import here
from yolo_cot import cli
from yolo_cot.commands.bench import blocks as bench_blocks
from yolo_cot.commands.bench import in_fresh_processes
from yolo_cot.commands.bench import models as bench_models
from yolo_cot.commands.bench.blocks import fused, measure_forward, measure_training
from yolo_cot.commands.bench.limits import Machine, copy_rate, cost, matmul_rate
from yolo_cot.commands.bench.models import ModelRow, measure_models
from yolo_cot.commands.bench.onnx import ParityError
from yolo_cot.commands.timing import interleaved, peak_memory
from yolo_cot.commands.verify.pictures import batch, pictures
from yolo_cot.nn import CoTAttention, OutlookAttention
from yolo_cot.plugin.gates import gates
from yolo_cot.reference.published import PublishedOutlookAttention

MACHINE = Machine("cpu", 1e9, 1e9)


def publish(monkeypatch, wrong):
    """Let `wrong` spoil the published form, and fail as soon as a time is taken."""

    def spoilt(block):
        published = PublishedOutlookAttention(block)
        wrong(published)
        return published

    monkeypatch.setitem(bench_blocks.PUBLISHED, "OutlookAttention", (OutlookAttention, spoilt))
    monkeypatch.setattr(bench_blocks, "interleaved", lambda *a, **k: pytest.fail("a time was taken"))


@pytest.mark.parametrize("measure", [measure_forward, measure_training])
def test_no_time_is_printed_when_the_forms_differ(monkeypatch, measure):
    publish(monkeypatch, lambda published: published.proj.bias.data.add_(1))
    with pytest.raises(ParityError, match="output differs from the published form by"):
        measure("OutlookAttention", "n", "P5", 1, MACHINE, 1)


def test_a_fused_form_that_differs_is_not_timed(monkeypatch):
    publish(monkeypatch, lambda published: None)
    fuse = bench_blocks.fused

    def wrong(module):
        module = fuse(module)
        module.proj.bias.data.add_(1)
        return module

    monkeypatch.setattr(bench_blocks, "fused", wrong)
    with pytest.raises(ParityError, match="fused output differs"):
        measure_forward("OutlookAttention", "n", "P5", 1, MACHINE, 1)


def test_parity_looks_at_gradients_too(monkeypatch):
    def wrong(published):
        right = published.forward
        published.forward = lambda x: right(x) + 0.01 * (x - x.detach())  # the same values, another gradient

    publish(monkeypatch, wrong)
    with pytest.raises(ParityError, match="input gradient"):
        measure_training("OutlookAttention", "n", "P5", 1, MACHINE, 1)


def test_what_is_timed_in_training_is_compared_in_training(monkeypatch):
    def wrong(published):
        right = published.forward
        published.forward = lambda x: right(x) + published.training  # right in evaluation

    publish(monkeypatch, wrong)
    with pytest.raises(ParityError, match="output differs"):
        measure_training("OutlookAttention", "n", "P5", 1, MACHINE, 1)


def test_both_measures_give_a_row():
    forward = measure_forward("OutlookAttention", "n", "P5", 1, MACHINE, 1)
    training = measure_training("OutlookAttention", "n", "P5", 1, MACHINE, 1)
    assert training.limit == pytest.approx(3 * forward.limit)
    assert 0 < training.memory_ratio < 1
    assert min(r.ours for r in (forward, training)) > 0


def test_rounds_are_interleaved_warmed_up_and_in_changing_order():
    calls: list[str] = []
    interleaved({name: lambda name=name: calls.append(name) for name in "abc"}, rounds=8)
    rounds = ["".join(calls[n : n + 3]) for n in range(0, len(calls), 3)]
    assert len(rounds) == 10
    assert {"".join(sorted(r)) for r in rounds} == {"abc"}
    assert len(set(rounds)) > 2


def test_peak_memory_sees_what_is_alive_at_one_time():
    def run():
        a = torch.empty(1 << 20)  # 4 MiB
        b = torch.empty(1 << 20)
        del a, b
        torch.empty(1 << 20)

    assert 8 << 20 <= peak_memory(run) < 9 << 20


def test_measuring_memory_writes_nothing_and_leaves_the_error_stream_as_it_was(capfd):
    peak_memory(lambda: torch.empty(8))
    os.write(2, b"still there")
    assert capfd.readouterr() == ("", "still there")


def where(index):
    """The process; as if a benchmark had measured something."""
    return os.getpid(), index


@pytest.mark.slow
def test_every_row_is_measured_in_a_process_of_its_own_in_order():
    found = in_fresh_processes(where, [(0,), (1,), (2,)])
    assert [index for _, index in found] == [0, 1, 2]
    assert len({os.getpid(), *(process for process, _ in found)}) == 4


def test_rates_are_positive_and_the_limit_is_the_slower_of_the_two():
    assert matmul_rate(size=64) > 0
    assert copy_rate(size=1 << 12) > 0
    machine = Machine("cpu", macs=10.0, bytes=2.0)
    assert machine.limit(100, 4) == 10
    assert machine.limit(10, 40) == 20


def test_multiply_adds_are_those_of_the_fused_block_counted_by_hand():
    c, n = 32, 6 * 5
    macs, traffic = cost(fused(CoTAttention(c)), torch.randn(1, c, 6, 5))
    convolutions = n * (9 * c * c // 4 + c * (c + c // 2) + c * c // 2 + c * c // 2)
    assert macs == convolutions + 4 * c * n
    assert traffic == 4 * (2 * c * n + 9 * c * c // 4 + c + c * 3 * c // 2 + 3 * c // 2 + c * c)

    macs, _ = cost(fused(OutlookAttention(c, 1)), torch.randn(1, c, 6, 5))
    assert macs == n * (2 * c * c + 81 * c) + 3 * 81 * n + 25 * c * n


SMALL = """nc: 3
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  {more}
  - [-1, 1, Conv, [32, 3, 2]]
head:
  - [[-1], 1, Detect, [nc]]
"""


def small_models(folder):
    """Two small model YAMLs, the second with a block."""
    files = [folder / "plain.yaml", folder / "mine.yaml"]
    for file, more in zip(files, ("", "- [-1, 1, CoTAttention, []]")):
        file.write_text(SMALL.format(more=more))
    return [str(file) for file in files]


def test_models_are_timed_in_every_runtime_that_is_there(tmp_path):
    pytest.importorskip("onnxruntime")
    rows = measure_models(small_models(tmp_path), 64, 2, ("torch", "onnxruntime"))
    assert [(row.runtime, row.ratio == 1) for row in rows][::2] == [("torch", True), ("onnxruntime", True)]
    assert all(0 < row.ratio_low <= row.ratio <= row.ratio_high for row in rows)


def test_what_is_timed_sees_its_blocks():
    """A gate of 0 would hide a block from the check, and some converters leave out what is multiplied by 0."""
    _, shots = pictures(None, 64)
    model = bench_models.fresh("yolo11n-cot.yaml", batch(shots))
    assert all(block.gamma.min() >= 0.5 for block in gates(model).values())
    assert not model.training
    assert_sees(model, torch.from_numpy(shots[:1]))


def test_a_runtime_that_computes_something_else_is_not_timed(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    load = bench_models.load

    def wrong(*given):
        run = load(*given)
        return lambda picture: [1.01 * array for array in run(picture)]

    monkeypatch.setattr(bench_models, "load", wrong)
    monkeypatch.setattr(bench_models, "samples", lambda *a, **k: pytest.fail("a time was taken"))
    with pytest.raises(ParityError, match="onnxruntime differs from PyTorch by"):
        measure_models(small_models(tmp_path), 64, 1, ("onnxruntime",))


def test_a_runtime_that_is_not_installed_is_left_out_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_models, "obstacle", lambda form: "not installed: MNN; pip install MNN.")
    rows = measure_models(small_models(tmp_path)[:1], 64, 1, ("mnn", "torch"))
    assert [row.runtime for row in rows] == ["torch"]
    with pytest.raises(ValueError, match="found none of the runtimes mnn"):
        measure_models(small_models(tmp_path)[:1], 64, 1, ("mnn",))


@pytest.mark.parametrize(
    "name, plain",
    [
        ("yolo11s-c3k2cot.yaml", "yolo11s.yaml"),
        ("yolov8n-outlook-pose.yaml", "yolov8n-pose.yaml"),
        ("rtdetr-l-cot.yaml", "rtdetr-l.yaml"),
        ("yolo11m.yaml", "yolo11m.yaml"),
        ("cotnet50-cls.yaml", "yolo11n.yaml"),
    ],
)
def test_a_model_is_compared_with_the_plain_one_of_its_base(name, plain):
    assert bench_models.plain_of(name) == plain


def test_quick_asks_for_little_and_a_busy_machine_is_told(tmp_path, monkeypatch):
    from yolo_cot.commands import bench

    asked = []

    def measured(names, imgsz, rounds, runtimes):
        asked.append((names, imgsz, rounds))
        return [ModelRow("a.yaml", "torch", 0.1, 1.0, 0.9, 1.2)]

    monkeypatch.setattr(bench, "measure_models", measured)
    monkeypatch.setattr(bench, "busy", lambda: "The machine is busy.")
    done = here("bench", "model=yolov8s-cot-seg.yaml", "quick=True", f"out={tmp_path}")
    assert asked == [(["yolov8s-seg.yaml", "yolov8s-cot-seg.yaml"], 320, 5)]
    assert "The machine is busy." in done.stdout
    assert "The quartiles are more than 10 % apart: a.yaml in torch." in done.stdout


def test_a_failed_parity_is_told_in_one_line(monkeypatch, tmp_path):
    def differs(*_):
        raise ParityError("a.yaml at (1, 3, 32, 32): onnxruntime differs from PyTorch by 1.0e+00.")

    monkeypatch.setattr("yolo_cot.commands.bench.measure_models", differs)
    monkeypatch.setattr("sys.argv", ["yolo-cot", "bench", "model=yolo11n-cot.yaml", f"out={tmp_path}"])
    with pytest.raises(SystemExit, match=r"^yolo-cot: a\.yaml at .* differs from PyTorch by"):
        cli.main()
