"""`torch.compile` of the blocks: one graph without breaks, with the values and gradients of eager mode."""

from __future__ import annotations

import copy
import os
import shutil

import pytest
import torch
from functorch.compile import make_boxed_func
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd

from tests.tolerances import PARITY, distance
from yolo_cot.nn import C3k2CoT, C3k2Outlook, CoTAttention, CoTBlock, OutlookAttention, Outlooker, VOLOTransformer
from yolo_cot.ops.outlook import window_centres

BLOCKS = {
    "CoTAttention": lambda: CoTAttention(32),
    "CoTAttention, gated": lambda: CoTAttention(32, gate=0.5),
    "OutlookAttention": lambda: OutlookAttention(64),
    "OutlookAttention, stride 2": lambda: OutlookAttention(64, stride=2),
    "Outlooker, stride 2": lambda: Outlooker(64, stride=2),
    "VOLOTransformer": lambda: VOLOTransformer(64),
    "C3k2CoT": lambda: C3k2CoT(64, 64),
    "C3k2Outlook": lambda: C3k2Outlook(64, 64),
}


@pytest.fixture(autouse=True)
def _fresh():
    """No graph of another test is reused."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def run(block: nn.Module, x: Tensor) -> dict[str, Tensor | None]:
    """The output, and the gradients of the input and of every parameter."""
    x = x.clone().requires_grad_()
    out = block(x)
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    gradients = {name.removeprefix("_orig_mod."): p.grad for name, p in block.named_parameters()}
    return {"output": out.detach(), "input": x.grad, **gradients}


def compare(block: nn.Module, backend: str) -> None:
    """Compile `block` into one graph, and compare what it computes with what the block itself does."""
    block = block.double()
    x = torch.randn(2, 32 if isinstance(block, CoTAttention) else 64, 7, 6, dtype=torch.float64)
    expected = run(copy.deepcopy(block), x)
    found = run(torch.compile(block, backend=backend, fullgraph=True), x)
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        assert distance(found[name], wanted) < PARITY, name


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_one_graph_with_the_values_and_gradients_of_eager_mode(name):
    compare(BLOCKS[name]().train(), "eager")


@pytest.mark.parametrize("name", BLOCKS)
def test_the_recorded_backward_graph_gives_the_gradients_of_eager_mode(name):
    compare(BLOCKS[name]().eval(), "aot_eager")


@pytest.fixture
def _generator(tmp_path, monkeypatch):
    """torch's code generator for the CPU, with an empty cache; skipped where there is no C++ compiler."""
    compiler = os.environ.get("CXX", "g++")
    if not shutil.which(compiler):
        pytest.skip(f"torch's code generator for the CPU needs a C++ compiler; {compiler} is not there")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))


@pytest.mark.slow
@pytest.mark.usefixtures("_generator")
def test_generated_code_gives_the_values_of_eager_mode():
    block, x = CoTAttention(32).eval(), torch.randn(2, 32, 7, 6)
    with torch.no_grad():
        assert distance(torch.compile(block, fullgraph=True)(x), block(x)) < 1e-5


@pytest.mark.slow
@pytest.mark.usefixtures("_generator")
def test_generated_code_around_the_operators_gives_the_values_and_gradients_of_eager_mode():
    compare(OutlookAttention(64), "inductor")


@pytest.mark.slow
@pytest.mark.usefixtures("_generator")
@pytest.mark.parametrize("size", [(7, 5), (6, 8)])
def test_generated_code_has_the_gradients_of_the_window_centres(size):
    x = torch.randn(2, 4, *size, dtype=torch.float64, requires_grad=True)
    wanted, got = window_centres(x, 2), torch.compile(lambda x: window_centres(x, 2), fullgraph=True)(x)
    assert distance(got, wanted) < PARITY
    seed = torch.linspace(-1, 1, wanted.numel()).double().view_as(wanted)
    (expected,), (found,) = (torch.autograd.grad(y, x, seed) for y in (wanted, got))
    assert distance(found, expected) < PARITY


@pytest.mark.parametrize("make, mix", [(OutlookAttention, "mix_cpu_bags"), (CoTBlock, "mix_cpu")])
def test_a_compiled_graph_holds_the_mix_as_one_operator(make, mix):
    graphs = []

    def keep(graph, inputs):
        graphs.append([str(node.target) for node in graph.graph.nodes])
        return make_boxed_func(graph)

    x = torch.randn(1, 64, 6, 5, requires_grad=True)
    backend = aot_autograd(fw_compiler=keep, bw_compiler=keep)
    torch.compile(make(64), backend=backend, fullgraph=True)(x).sum().backward()
    for name in (mix, *(["collect_taps"] if mix == "mix_cpu_bags" else [])):
        assert f"yolo_cot.{name}.default" in graphs[0]
        assert f"yolo_cot.{name}_gradients.default" in graphs[1]
    assert sum("slice" in target for target in graphs[0]) < 6, "slices for each tap are the form for exporters"


def test_an_exported_graph_holds_no_operator_of_ours():
    block, x = OutlookAttention(64).eval(), torch.randn(1, 64, 6, 5)
    program = torch.export.export(block, (x,))
    assert not [node for node in program.graph.nodes if "yolo_cot" in str(node.target)]
    assert distance(program.module()(x), block(x)) < 1e-5


@pytest.mark.parametrize("make", [CoTAttention, CoTBlock, OutlookAttention, Outlooker])
def test_an_exported_graph_takes_maps_of_any_size(make):
    block, x = make(32).eval(), torch.randn(1, 32, 24, 16)
    sides = {axis: torch.export.Dim(name, min=4, max=256) for axis, name in ((2, "height"), (3, "width"))}
    program = torch.export.export(block, (x,), dynamic_shapes={"x": sides}).module()
    for size in ((9, 13), (10, 20), (40, 5)):
        other = torch.randn(1, 32, *size)
        assert distance(program(other), block(other)) < 1e-5


def test_a_graph_break_inside_a_block_would_be_told(monkeypatch):
    def breaks(self, x):
        torch._dynamo.graph_break()
        return x

    monkeypatch.setattr(CoTAttention, "attend", breaks)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="graph_break"):
        compare(CoTAttention(32), "eager")


def test_the_norm_of_an_exported_cot_block_spreads_nothing_over_the_taps():
    """PyTorch's own group norm does, by an `expand` of each mean, which some runtimes of phones do not know."""
    block, x = CoTBlock(32).double().eval(), torch.randn(2, 32, 5, 7, dtype=torch.float64)
    program = torch.export.export(block, (x,)).run_decompositions()
    names = {str(node.target) for node in program.graph_module.graph.nodes if node.op == "call_function"}
    assert "aten.rsqrt.default" in names
    assert not {name for name in names if "group_norm" in name or "expand" in name}
    assert distance(program.module()(x), block(x)) < PARITY
