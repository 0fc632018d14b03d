"""The local mix on a GPU: one Triton kernel forward, one for each gradient.

Two operators, `yolo_cot::window_mix` and `yolo_cot::window_mix_weight_gradient`, hide the launches from
`torch.compile`, which records them as they are. They take any strides, sum half precisions in float32 and write
contiguous results.
"""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from .local_mix import differentiable_gradients
from .window import Window


@torch.compiler.assume_constant_result
def available() -> bool:
    """Whether the kernels can run: Triton is there, and a CUDA device of compute capability 7 or Triton's interpreter.

    The interpreter, `TRITON_INTERPRET=1` in the environment before Triton is first imported, runs them on CPU tensors.
    """
    return _available()


@cache
def _available() -> bool:
    try:
        import triton
    except ImportError:
        return False
    # Triton 2 lacks parts of the language that the kernels are written in.
    if int(triton.__version__.split(".")[0]) < 3:
        return False
    if os.environ.get("TRITON_INTERPRET") == "1":
        return True
    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (7, 0)


def window_mix(v: Tensor, weight: Tensor, window: Window, *, interleaved: bool = False) -> Tensor:
    """`local_mix.window_mix`, with the same arguments and results, for CUDA tensors where `available()`.

    The shapes must have been checked. With `create_graph=True` the gradients come from the plain form, and have
    derivatives of every order.
    """
    return _WindowMix.apply(v, weight, window, interleaved)


class _WindowMix(torch.autograd.Function):
    """The operators with their gradients: the adjoint for the values, products summed over channels for the weights."""

    @staticmethod
    def forward(ctx, v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
        ctx.save_for_backward(v, weight)
        ctx.window, ctx.interleaved = window, interleaved
        return torch.ops.yolo_cot.window_mix(v, weight, *window, interleaved, False)

    @staticmethod
    def backward(ctx, grad_out: Tensor):
        v, weight = ctx.saved_tensors
        window, interleaved = ctx.window, ctx.interleaved
        # A compiled graph has no second derivative anyway, and traces this with gradients enabled.
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return *differentiable_gradients(v, weight, window, interleaved, grad_out), None, None
        for_v = for_weight = None
        if ctx.needs_input_grad[0]:
            for_v = torch.ops.yolo_cot.window_mix(grad_out, weight, *window, interleaved, True)
        if ctx.needs_input_grad[1]:
            for_weight = torch.ops.yolo_cot.window_mix_weight_gradient(grad_out, v, weight, *window, interleaved)
        return for_v, for_weight, None, None


def _mix(
    source: Tensor, weight: Tensor, top: int, left: int, height: int, width: int, interleaved: bool, adjoint: bool
) -> Tensor:
    """Launch `mix_kernel`."""
    from . import local_mix_kernels as kernels

    source, weight = source.contiguous(), weight.contiguous()
    out = torch.empty_like(source, memory_format=torch.contiguous_format)
    if not out.numel():
        return out
    batch, channels, rows, columns = source.shape
    groups = weight.shape[1] // (height * width)
    share = channels // groups
    plan = mix_plan(batch * groups, share, rows, columns, _multiprocessors(source.device))
    with torch.cuda.device_of(source):
        kernels.mix_kernel[(plan.programs,)](
            source, weight, out, groups, share, rows, columns, top, left, height, width, interleaved,
            ADJOINT=adjoint, SUM=kernels.sum_type(source.dtype), TILES=plan.tiles,
            WHOLE=plan.tiles * plan.channels == share, ROWS=plan.rows, CHANNELS=plan.channels, PIXELS=32 * plan.warps,
            num_warps=plan.warps, **kernels.OPTIONS,
        )  # fmt: skip
    return out


def _weight_gradient(
    grad: Tensor, source: Tensor, weight: Tensor, top: int, left: int, height: int, width: int, interleaved: bool
) -> Tensor:
    """Launch `weight_gradient_kernel`; of `weight`, only shape and type are read."""
    from . import local_mix_kernels as kernels

    grad, source = grad.contiguous(), source.contiguous()
    out = torch.empty_like(weight, memory_format=torch.contiguous_format)
    if not source.numel():
        return out.zero_()
    batch, channels, rows, columns = source.shape
    groups = weight.shape[1] // (height * width)
    share = channels // groups
    plan = gradient_plan(batch * groups, share, rows, columns, height, _multiprocessors(source.device))
    with torch.cuda.device_of(source):
        kernels.weight_gradient_kernel[(plan.programs,)](
            grad, source, out, groups, share, rows, columns, top, left, height, width, interleaved,
            SUM=kernels.sum_type(source.dtype), TILES=plan.tiles, WHOLE=plan.tiles * plan.channels == share,
            PARTS=plan.parts, ROWS=plan.rows, CHANNELS=plan.channels, PIXELS=32 * plan.warps,
            num_warps=plan.warps, **kernels.OPTIONS,
        )  # fmt: skip
    return out


class Plan(NamedTuple):
    """How a launch divides the work; the kernels' docstrings say what the numbers are."""

    rows: int
    channels: int
    warps: int
    tiles: int
    parts: int
    programs: int


def mix_plan(image_groups: int, share: int, height: int, width: int, multiprocessors: int) -> Plan:
    """Divide `mix_kernel`'s work: the fewest loads for each output that still fill the device."""
    # Rows, most channels, warps. Two rows of 16 channels take 168 registers a thread; more would be spilled.
    choices = ((2, 16, 4), (2, 8, 4), (2, 8, 2), (1, 8, 2), (1, 4, 2), (1, 4, 1))

    plans = []
    for rows, most, warps in choices:
        channels = _tile(share, most)
        tiles = -(-share // channels)
        programs = _places(height, width, rows, warps) * tiles * image_groups
        plans.append(Plan(rows, channels, warps, tiles, 1, programs))
    return _first_that_fills(plans, multiprocessors)


def gradient_plan(image_groups: int, share: int, height: int, width: int, window: int, multiprocessors: int) -> Plan:
    """Divide `weight_gradient_kernel`'s work for a window of `window` rows: a program sums over all of its channels."""
    # Gradients of up to 64 channels are held in registers, of 32 with the row below; more are read again for each tap.
    held = 1 << max(share - 1, 0).bit_length()
    channels = held if held <= 64 else _tile(share, 16)
    tiles = -(-share // channels)
    # Rows, warps, parts.
    choices = ((1 if channels == 64 else 2, 4, 1), (1, 4, 1), (1, 4, window), (1, 2, window), (1, 1, window))
    plans = []
    for rows, warps, parts in choices:
        programs = _places(height, width, rows, warps) * parts * image_groups
        plans.append(Plan(rows, channels, warps, tiles, parts, programs))
    return _first_that_fills(plans, multiprocessors)


def _first_that_fills(plans: list[Plan], multiprocessors: int) -> Plan:
    """The first plan with eight warps for each multiprocessor, or the last one."""
    return next((plan for plan in plans if plan.programs * plan.warps >= 8 * multiprocessors), plans[-1])


def _tile(share: int, most: int) -> int:
    """The largest power of two, at most `most`, whose multiples cover `share` channels with a quarter to spare."""
    size = most
    while -(-share // size) * size > 1.25 * share:
        size //= 2
    return size


def _places(height: int, width: int, rows: int, warps: int) -> int:
    """Programs that cover one map, each 32 * warps pixels wide and `rows` high."""
    return -(-(-(-height // rows) * width) // (32 * warps))


def _multiprocessors(device: torch.device) -> int:
    """Multiprocessors of the device; 1 for the interpreter's."""
    return _device_multiprocessors(device.index or 0) if device.type == "cuda" else 1


@cache
def _device_multiprocessors(index: int) -> int:
    return torch.cuda.get_device_properties(index).multi_processor_count


_WINDOW = "int top, int left, int height, int width, bool interleaved"
_library = torch.library.Library("yolo_cot", "FRAGMENT")
_library.define(f"window_mix(Tensor source, Tensor weight, {_WINDOW}, bool adjoint) -> Tensor")
_library.define(f"window_mix_weight_gradient(Tensor grad, Tensor source, Tensor weight, {_WINDOW}) -> Tensor")
_library.impl("window_mix", _mix, "CompositeExplicitAutograd")
_library.impl("window_mix_weight_gradient", _weight_gradient, "CompositeExplicitAutograd")
# What a recorder needs to know: the shape, type and layout of the result.
_library.impl("window_mix", lambda source, *_: torch.empty_like(source, memory_format=torch.contiguous_format), "Meta")
_library.impl(
    "window_mix_weight_gradient",
    lambda grad, source, weight, *_: torch.empty_like(weight, memory_format=torch.contiguous_format),
    "Meta",
)
