"""Export: every block in every runtime that is installed gives what PyTorch gives, and a wrong block is noticed."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch.onnx import _constants
from ultralytics import YOLO

from tests.contract import EVERY_CONFIG, scaled
from tests.every_block import detector, rows
from tests.live import WRONG, blocks_of, live, output, picture, wrong
from tests.runtimes import FORMATS, run, run_onnx
from tests.tolerances import EXPORTED, distance
from yolo_cot.plugin.catalog import BLOCKS, INSERTABLE

# Odd maps inside, of 16 x 24 pixels and less; a picture that tracing has not seen.
X = picture(64, 96)
# Every operator of the graph; those that plain YOLO11 does not have are the padding, the norms' and the softmax' parts.
OPERATORS = {"Conv", "MaxPool", "AveragePool", "Sigmoid", "Relu", "Softmax", "Exp", "Erf", "Sqrt", "Pow", "Add", "Sub"}
OPERATORS |= {"Mul", "Div", "ReduceMax", "ReduceSum", "ReduceMean", "Concat", "Split", "Slice", "Gather", "Pad"}
OPERATORS |= {"Reshape", "Transpose", "Resize", "MatMul", "InstanceNormalization", "LayerNormalization"}
LEAVES = sorted({BLOCKS[name].cls.__name__ for name, _ in rows() if BLOCKS[name].counts_as is None})


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> YOLO:
    """The detector that holds every block, live."""
    torch.manual_seed(0)
    return detector(tmp_path_factory.mktemp("network"), rows())


def gap(form: str, yolo: YOLO, folder, block: type | None = None, factor: float = 1.0) -> float:
    """How far a runtime is from PyTorch where, during the export only, every block of a class is that wrong."""
    wanted = output(yolo.model, X)
    with nullcontext() if block is None else wrong(block, factor):
        return distance(run(form, yolo, X, folder), wanted)


def test_the_network_holds_every_block_that_can_be_inserted(network):
    assert {type(m).__name__ for m in network.model.modules()} >= set(INSERTABLE)
    assert [block.__name__ for block in blocks_of(network.model)] == LEAVES


# OpenVINO takes its time to compile: there it is in the slow run.
@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=pytest.mark.slow if form == "openvino" else ()) for form in FORMATS]
)
def test_a_runtime_agrees_with_pytorch(network, form, tmp_path):
    assert gap(form, network, tmp_path) < EXPORTED
    if form == "onnx":
        holds_only_plain_operators_of_rank_4(tmp_path / "blocks.onnx")


def holds_only_plain_operators_of_rank_4(file):
    import onnx

    model = onnx.load(file)
    used = {(node.domain, node.op_type) for node in model.graph.node}
    assert {domain for domain, _ in used} <= {"", "ai.onnx"}
    assert {name for _, name in used} <= OPERATORS
    ranks = [len(v.type.tensor_type.shape.dim) for v in onnx.shape_inference.infer_shapes(model).graph.value_info]
    assert ranks
    assert max(ranks) <= 4


def test_onnx_agrees_at_other_sizes_than_the_exported_one_and_for_several_images(network, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    file = network.export(format="onnx", imgsz=64, dynamic=True, simplify=False)
    for x in (X, torch.cat([picture(96, 160), picture(96, 160).flip(3)])):
        assert distance(run_onnx(file, x), output(network.model, x)) < EXPORTED


# Often: the oldest, the last without LayerNormalization, and the newest that is exported through TorchScript.
NEWEST = getattr(_constants, "ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET", _constants.ONNX_MAX_OPSET)


@pytest.mark.parametrize(
    "opset",
    [
        pytest.param(n, marks=pytest.mark.slow if n in (11, 16, NEWEST) else pytest.mark.sweep)
        for n in range(11, NEWEST + 1)
    ],
)
def test_onnx_agrees_in_every_opset(network, opset, tmp_path):
    import onnx

    assert distance(run("onnx", network, X, tmp_path, opset=opset), output(network.model, X)) < EXPORTED
    assert {entry.version for entry in onnx.load(tmp_path / "blocks.onnx").opset_import} == {opset}


# In OpenVINO one block stands for all, but for the slow run.
@pytest.mark.parametrize(
    "form, name",
    [
        pytest.param(form, name, marks=pytest.mark.slow if form == "openvino" and name != LEAVES[0] else ())
        for form in FORMATS
        for name in LEAVES
    ],
)
def test_a_block_that_is_exported_ten_percent_wrong_is_noticed(form, name, tmp_path):
    yolo = detector(tmp_path, [[name, [{"gate": 0.5}]]])
    assert gap(form, yolo, tmp_path, BLOCKS[name].cls, WRONG) > 5 * EXPORTED


@pytest.mark.sweep
@pytest.mark.parametrize("name", LEAVES)
@pytest.mark.parametrize("form", FORMATS)
def test_a_block_that_is_exported_as_zero_is_noticed(form, name, tmp_path):
    yolo = detector(tmp_path, [[name, [{"gate": 0.5}]]])
    assert gap(form, yolo, tmp_path, BLOCKS[name].cls, 0.0) > 5 * EXPORTED


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_every_config_agrees_in_every_runtime(config, form, tmp_path):
    yolo = YOLO(scaled(config, "n"))
    live(yolo.model)
    assert gap(form, yolo, tmp_path) < EXPORTED


@pytest.mark.sweep
@pytest.mark.parametrize("factor", [0.0, WRONG])
@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_a_config_whose_blocks_are_exported_wrong_is_noticed(config, factor, tmp_path):
    yolo = YOLO(scaled(config, "n"))
    live(yolo.model)
    for block in blocks_of(yolo.model):
        assert gap("onnx", yolo, tmp_path, block, factor) > 5 * EXPORTED
