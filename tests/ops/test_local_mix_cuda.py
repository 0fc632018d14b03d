"""The Triton kernels of the local mix: the definition's values and gradients, on a GPU or under Triton's interpreter.

The interpreter is chosen when Triton is first imported, so on the CPU the tests of the kernels run in a subprocess:
pytest on this very file with TRITON_INTERPRET=1, started by the first test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from tests.conftest import ROOT
from tests.tolerances import PARITY, distance
from yolo_cot.ops.local_mix import Window, cuda, reference, square, window_mix

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
TOLERANCE = {torch.float64: PARITY, torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
KERNELS = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not cuda.available(),
        reason="no CUDA device with Triton; on the CPU these run in a subprocess, under Triton's interpreter",
    ),
]
# (batch, channels, groups, height, width), window, interleaved
CASES = {
    "7x5, 3x3, heads": ((2, 6, 2, 7, 5), square(3), False),
    "7x5, 3x3, interleaved": ((1, 6, 2, 7, 5), square(3), True),
    "7x5, 5x5, heads": ((1, 4, 2, 7, 5), square(5), False),
    "6x4, 5x5, interleaved": ((1, 4, 2, 6, 4), square(5), True),
    "1x1, 1x1": ((1, 4, 1, 1, 1), square(1), False),
    "1x1, 5x5": ((1, 4, 2, 1, 1), square(5), True),
    "1x9, 3x3": ((1, 3, 1, 1, 9), square(3), False),
    "9x1, 3x3": ((1, 3, 3, 9, 1), square(3), True),
    "more pixels than a program owns": ((1, 2, 1, 19, 15), square(3), False),
    "channels that fill no tile": ((1, 22, 2, 3, 4), square(3), False),
    "more channels than a program holds": ((1, 140, 2, 2, 3), square(3), False),
    "2x3 window up and left": ((1, 4, 2, 5, 4), Window(-1, -2, 2, 3), False),
    "1x2 window beside the pixel": ((1, 4, 2, 5, 4), Window(0, 1, 1, 2), True),
    "3x1 window below the map": ((1, 2, 1, 4, 5), Window(3, 0, 3, 1), False),
}


def inputs(shape: tuple[int, ...], window: Window, dtype: torch.dtype) -> list[Tensor]:
    """Values, weights and the gradient of the output."""
    b, c, groups, h, w = shape
    sizes = (b, c, h, w), (b, groups * window.height * window.width, h, w), (b, c, h, w)
    return [torch.randn(size, dtype=torch.float64).to(DEVICE, dtype) for size in sizes]


def compare(v: Tensor, weight: Tensor, grad: Tensor, window: Window, interleaved: bool) -> None:
    """Values and gradients, against the definition in float64 on the CPU."""
    exact = [t.detach().to("cpu", torch.float64) for t in (v, weight, grad)]
    out = reference.mix(exact[0].requires_grad_(), exact[1].requires_grad_(), window, interleaved)
    wanted = out, *torch.autograd.grad(out, exact[:2], exact[2])
    v, weight = v.detach().requires_grad_(), weight.detach().requires_grad_()
    # What torch.empty returns is filled with NaN, so that nothing is right because it was never written.
    torch.use_deterministic_algorithms(True)
    try:
        out = cuda.mix(v, weight, window, interleaved)
        found = out, *torch.autograd.grad(out, (v, weight), grad)
    finally:
        torch.use_deterministic_algorithms(False)
    for name, got, want in zip(("out", "grad v", "grad weight"), found, wanted):
        assert got.dtype == v.dtype
        assert distance(got.detach().cpu(), want.detach()) < TOLERANCE[v.dtype], name


@pytest.mark.skipif(INTERPRETED, reason="this is the subprocess")
@pytest.mark.skipif(
    not find_spec("triton") or version("triton").startswith("2."), reason="Triton 3 or later is not installed"
)
@pytest.mark.slow
def test_the_kernels_pass_their_tests_under_the_interpreter():
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert passed
    assert int(passed[1]) > len(CASES)


class TestKernels:
    pytestmark = KERNELS

    @pytest.mark.parametrize("name", CASES)
    def test_value_and_gradients_match_the_definition(self, name):
        shape, window, interleaved = CASES[name]
        compare(*inputs(shape, window, torch.float64), window, interleaved)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
    def test_lower_precisions_are_within_their_rounding(self, dtype):
        compare(*inputs((1, 8, 2, 4, 5), square(3), dtype), square(3), False)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
    def test_half_precisions_are_summed_in_float32(self, dtype):
        # 2048 + 8 * 1: in either half precision, every single addition would be rounded away.
        weight = torch.ones(1, 9, 3, 3, dtype=dtype, device=DEVICE)
        weight[0, 0] = 2048
        out = cuda.mix(torch.ones(1, 1, 3, 3, dtype=dtype, device=DEVICE), weight, square(3), False)
        assert out[0, 0, 1, 1] == torch.tensor(2056.0, dtype=dtype)

    @pytest.mark.parametrize("interleaved", [False, True])
    @pytest.mark.parametrize("multiprocessors", [1, 1000])
    def test_every_division_of_the_work_gives_the_same(self, multiprocessors, interleaved, monkeypatch):
        monkeypatch.setattr(cuda, "_multiprocessors", lambda device: multiprocessors)
        compare(*inputs((1, 10, 2, 5, 9), square(3), torch.float64), square(3), interleaved)

    def test_inputs_of_any_strides_are_taken(self):
        v, weight, grad = inputs((2, 4, 2, 4, 8), square(3), torch.float64)
        compare(v[..., ::2], weight[..., 1::2], grad[..., ::2], square(3), False)
        last = [t.to(memory_format=torch.channels_last) for t in (v[..., :3], weight[..., :3], grad[..., :3])]
        compare(*last, square(3), True)

    @pytest.mark.parametrize("shape", [(0, 4, 2, 3, 3), (2, 4, 2, 0, 3)])
    def test_an_empty_map_is_empty(self, shape):
        v, weight, _ = inputs(shape, square(3), torch.float64)
        out = cuda.mix(v.requires_grad_(), weight.requires_grad_(), square(3), False)
        assert out.shape == v.shape
        out.sum().backward()
        assert weight.grad.shape == weight.shape

    def test_a_second_derivative_is_right(self):
        found = []
        v, weight, grad = inputs((1, 4, 2, 3, 4), square(3), torch.float64)
        for mix in (cuda.mix, reference.mix):
            v, weight, grad = [t.detach().requires_grad_() for t in (v, weight, grad)]
            out = mix(v, weight, square(3), False).square()
            first = torch.autograd.grad(out, (v, weight), grad, create_graph=True)
            found.append(torch.autograd.grad(sum(t.square().sum() for t in first), (v, weight, grad)))
        for got, want in zip(*found):
            assert distance(got, want) < PARITY

    def test_torch_compile_records_the_operators_without_a_break(self, monkeypatch):
        monkeypatch.setattr(cuda, "fits", lambda v: True)
        v, weight, grad = inputs((1, 4, 2, 3, 4), square(3), torch.float64)
        v, weight = v.requires_grad_(), weight.requires_grad_()

        def function(v: Tensor, weight: Tensor) -> Tensor:
            assert cuda.available()
            return window_mix(v.sin(), weight, square(3), interleaved=True).cos()

        torch.compiler.reset()
        found = []
        for form in (function, torch.compile(function, backend="aot_eager", fullgraph=True)):
            out = form(v, weight)
            found.append((out, *torch.autograd.grad(out, (v, weight), grad)))
        for got, want in zip(*found):
            assert distance(got, want) < PARITY


def test_without_triton_the_kernels_are_not_available(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert cuda._available.__wrapped__() is False


@pytest.mark.skipif(INTERPRETED, reason="the interpreter compiles nothing")
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_kernels_compile_for_a_gpu_without_shared_memory(dtype, tmp_path, monkeypatch):
    triton = pytest.importorskip("triton", reason="Triton is not installed")
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 3):
        pytest.skip(f"compiling without a device is another interface in Triton {triton.__version__}; needs 3.3")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from yolo_cot.ops.local_mix import cuda_kernels as kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    window = {"TOP": -2, "LEFT": -2, "WINDOW_H": 5, "WINDOW_W": 5, "INTERLEAVED": False}
    plans = {
        kernels.mix_kernel: cuda.mix_plan(16, 32, 80, 80, 132),
        kernels.weight_gradient_kernel: cuda.gradient_plan(16, 32, 80, 80, 5, 132),
    }
    for kernel, plan in plans.items():
        constants = {
            **window, "ADJOINT": True, "SUM": kernels.sum_type(torch.float32), "TILES": plan.tiles, "WHOLE": True,
            "PARTS": plan.parts, "ROWS": plan.rows, "CHANNELS": plan.channels, "PIXELS": 32 * plan.warps,
        }  # fmt: skip
        constants = {name: value for name, value in constants.items() if name in kernel.arg_names}
        signature = {name: f"*{dtype}" if name.endswith("_ptr") else "i32" for name in kernel.arg_names}
        signature |= dict.fromkeys(constants, "constexpr")
        indices = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
        source = ASTSource(kernel, signature, constexprs=indices)
        options = {"num_warps": plan.warps, **kernels.OPTIONS}
        compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
        # Shared memory would mean that a sum or a load was spread over threads that then have to exchange it.
        assert compiled.metadata.shared == 0
