"""Rows of a YAML: what may be written, and what each wrong row is told."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from ultralytics.nn.modules import Detect

from yolo_cot.plugin.catalog import BLOCKS, INSERTABLE
from yolo_cot.plugin.row_errors import RowError

from .models import SCALES, build

KEEPERS = [name for name, block in INSERTABLE.items() if block.counts_as is None]
COMPOSITES = [name for name, block in INSERTABLE.items() if block.counts_as is not None]


def row_of(model, part):
    return model.model[2 if part == "backbone" else 3]


@pytest.mark.parametrize("part", ["backbone", "head"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", KEEPERS)
def test_a_block_keeps_its_inputs_channels_and_repeats_with_the_depth(name, scale, part):
    model = build([-1, 4, name, []], scale, part)
    block = row_of(model, part)
    depth, width, most = SCALES[scale]
    channels = int(min(128, most) * width)
    assert isinstance(block, nn.Sequential)
    assert len(block) == round(4 * depth)
    assert all(type(one) is BLOCKS[name].cls and one.c1 == channels for one in block)
    assert model(torch.zeros(1, 3, 64, 64)) is not None


@pytest.mark.parametrize("part", ["backbone", "head"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composite_counts_as_c3k2(name, scale, part):
    stock = build([-1, 4, "C3k2", [256, False]], scale, part)
    model = build([-1, 4, name, [256, False]], scale, part)
    ours, theirs = row_of(model, part), row_of(stock, part)
    assert type(ours) is BLOCKS[name].cls
    assert [type(m) for m in ours.m] == [type(m) for m in theirs.m]  # repeats, and C3k at the scales m, l and x
    assert ours.cv2.conv.weight.shape == theirs.cv2.conv.weight.shape
    assert any(type(m).__name__ == "C3k" for m in ours.m) == (scale in "mlx")
    assert list(model.model[-1].state_dict()) == list(stock.model[-1].state_dict())
    assert model.model[-1].legacy is False


def test_without_c3k2_like_rows_the_head_is_the_older_one():
    build([-1, 1, "C3k2", [256]])
    assert build([-1, 1, "CoTAttention", []]).model[-1].legacy is True
    assert Detect.legacy is True


@pytest.mark.parametrize("name", COMPOSITES)
@pytest.mark.parametrize("scale", ["n", "x"])
def test_a_composite_needs_no_more_than_its_channels(name, scale):
    assert build([-1, 1, name, [256]], scale).model[2].cv2.conv.out_channels == {"n": 64, "x": 384}[scale]


def test_arguments_may_be_given_by_name_by_position_or_both():
    by_position = build([-1, 1, "OutlookAttention", [2, 5, 2]]).model[2]
    by_name = build([-1, 1, "OutlookAttention", [{"num_heads": 2, "kernel_size": 5, "padding": 2}]]).model[2]
    mixed = build([-1, 1, "OutlookAttention", [2, {"padding": 2, "kernel_size": 5}]]).model[2]
    assert {str(block) for block in (by_position, by_name, mixed)} == {str(by_position)}
    assert by_position.num_heads == 2
    composite = build([-1, 1, "C3k2CoT", [256, False, 0.25, {"kernel_size": 5}]]).model[2]
    assert composite.c == 16
    assert composite.m[0].cv2[0].kernel_size == 5


def test_text_is_read_as_ultralytics_reads_it():
    block = build([-1, 1, "OutlookAttention", ["1", "3", "1", {"qkv_bias": "True", "gate": "None"}]]).model[2]
    assert (block.num_heads, block.v.bias is not None, block.gamma) == (1, True, None)


@pytest.mark.parametrize(
    "row, message",
    [
        (
            [-1, 1, "CoTAttetion", []],
            r"mine.yaml row 2 names 'CoTAttetion'. Did you mean 'CoTAttention'\? Known blocks:",
        ),
        ([-1, 1, "C3k2_CoT", [256]], r"row 2 names 'C3k2_CoT'. Did you mean 'C3k2CoT'\?"),
        ([-1, 1, "Zzz", [256]], r"row 2 names 'Zzz'. Known blocks: CoTAttention, OutlookAttention"),
        (
            [-1, 1, "OutlookAttention", [5]],
            r"mine.yaml row 2 \(OutlookAttention\): .* c1 divisible by num_heads; got c1=32, num_heads=5. Use 1, 2, 4",
        ),
        ([-1, 1, "CoTAttention", [4]], r"row 2 \(CoTAttention\): .* odd kernel_size, .* got 4. Use 5"),
        ([-1, 1, "OutlookAttention", [1, 2]], r"row 2 \(OutlookAttention\): .* odd kernel_size"),
        ([-1, 1, "C3k2CoT", [256, False, {"kernel_size": 4}]], r"row 2 \(C3k2CoT\): CoTAttention needs an odd kernel"),
        ([-1, 1, "C3k2Outlook", [256, {"num_heads": 7}]], r"row 2 \(C3k2Outlook\): .* divisible by num_heads"),
        (
            [-1, 1, "CoTAttention", [256]],
            r"row 2: CoTAttention takes its channels from its input, and the row gives none; got 256. Remove it",
        ),
        ([-1, 1, "OutlookAttention", [128, 4]], r"row 2: OutlookAttention takes its channels from its input"),
        ([-1, 1, "CoTAttention", [3, 4, 0.0, 4, 1]], r"row 2: CoTAttention takes \[.*\], 4 arguments at most; got 5"),
        ([-1, 1, "C3k2CoT", []], r"row 2: C3k2CoT needs 'c2'"),
        ([-1, 1, "CoTAttention", [{"kernle_size": 3}]], r"has no argument 'kernle_size'. Did you mean 'kernel_size'\?"),
        ([-1, 1, "CoTAttention", [3, {"kernel_size": 3}]], r"got 'kernel_size' twice, by position and by name"),
        ([-1, 1, "CoTAttention", {"gate": 0}], r"needs a list of arguments; .* Use \[\] for none"),
        ([-1, 1, "CoTAttention", ["wide"]], r"needs a number, True, False or None for kernel_size; got 'wide'"),
        ([-1, 1, "CoTAttention", [1.5]], r"needs a whole number for kernel_size; got 1.5"),
        ([-1, 1, "CoTAttention", [17]], r"needs kernel_size from 1 to 15; got 17"),
        ([-1, 1, "CoTAttention", ["10001"]], r"needs kernel_size from 1 to 15; got 10001"),
        ([-1, 1, "OutlookAttention", [1, 3, 1, 999]], r"needs stride from 1 to 8; got 999"),
        ([-1, 1, "OutlookAttention", [16, 9, 4]], r"num_heads \* kernel_size\*\*4, .* at most 65536"),
        ([-1, 1, "C3k2CoT", [10**9]], r"needs c2 from 1 to 4096"),
        ([-1, 1, "C3k2CoT", [64, False, 1000.0]], r"needs e from 0.015625 to 4"),
        ([-1, 1, "C3k2CoT", [64, {"g": 2}]], r"row 2 \(C3k2CoT\): C3k2CoT needs g=1"),
        ([-1, 10**9, "CoTAttention", []], r"needs 100 repeats or fewer"),
        ([-1, 10**9, "Conv", [64]], r"row 2 \(Conv\) needs 100 repeats or fewer"),
        ([-1, 0, "CoTAttention", []], r"needs a whole number of repeats, 1 or more; got 0"),
        ([[-1, 0], 1, "CoTAttention", []], r"reads one row, so its `from` is one number"),
        ([9, 1, "CoTAttention", []], r"reads row 9, which is not above it. Use -1"),
        ([-9, 1, "CoTAttention", []], r"reads row -9, which is not above it"),
        ([-1, 1, "CoTAttention"], r"mine.yaml row 2 must be \[from, repeats, module, \[arguments\]\]"),
        ([-1, "CoTAttention", []], r"mine.yaml row 2 must be"),
    ],
)
def test_a_wrong_row_is_told_by_file_and_row(row, message):
    more = {}
    if row[2:3] == ["Conv"]:  # a stock row is looked at in models with blocks of ours
        more = {"head": [[-1, 1, "CoTAttention", []], [[-1], 1, "Detect", ["nc"]]]}
    with pytest.raises(RowError, match=message) as caught:
        build(row, **more)
    assert str(caught.value).startswith("mine.yaml row 2")


def test_rows_that_do_not_fit_together_are_told_by_file_and_row():
    head = [[-1, 1, "CoTAttention", []], [[-1, 0], 1, "Concat", [1]], [[-1], 1, "Detect", ["nc"]]]
    with pytest.raises(RowError, match=r"mine.yaml row 4 \(Concat\): .*Sizes of tensors must match"):
        build([-1, 1, "Conv", [128, 3, 2]], head=head)


def test_a_classifiers_rows_that_do_not_fit_together_are_told_too():
    from ultralytics.nn.tasks import ClassificationModel

    rows = [[-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [64, 3, 2]], [-1, 1, "CoTAttention", []]]
    model = {"nc": 3, "yaml_file": "mine.yaml", "backbone": rows}
    good = ClassificationModel({**model, "head": [[-1, 1, "Classify", ["nc"]]]}, verbose=False)
    assert good.training
    with pytest.raises(RowError, match=r"mine.yaml row 3 \(Concat\)"):
        ClassificationModel({**model, "head": [[[2, 0], 1, "Concat", [1]], [-1, 1, "Classify", ["nc"]]]}, verbose=False)


def test_a_failed_model_leaves_the_activation_of_later_ones_alone():
    from ultralytics.nn.modules import Conv

    before = Conv.default_act
    with pytest.raises(RowError):
        build([-1, 1, "CoTAttention", [4]], activation="nn.ReLU()")
    assert Conv.default_act is before
    with pytest.raises(RowError):
        build([-1, 1, "CoTAtention", []], activation="nn.ReLU()")
    assert Conv.default_act is before


def test_a_file_of_the_user_is_named_in_errors(tmp_path):
    from ultralytics import YOLO

    file = tmp_path / "yolo11-mine.yaml"
    rows = "backbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n  - [-1, 1, CoTAttention, [2]]\n"
    file.write_text(f"nc: 2\n{rows}head:\n  - [[1], 1, Detect, [nc]]\n")
    with pytest.raises(RowError, match=rf"{file} row 1 \(CoTAttention\)"):
        YOLO(file)
