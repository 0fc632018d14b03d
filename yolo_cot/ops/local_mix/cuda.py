"""The local mix on a GPU: one Triton kernel forward, one for each gradient.

The kernels take any strides, sum half precisions in float32 and write contiguous results.
"""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..derivatives import HandWritten, contiguous_like
from .exported import mix as plain
from .window import Window


def fits(v: Tensor) -> bool:
    """Whether the kernels take values like `v`. Not tensors of other classes, those without data among them."""
    return v.is_cuda and type(v) in (Tensor, torch.nn.Parameter) and available()


def available() -> bool:
    """Whether the kernels can run: Triton is there, and a CUDA device of compute capability 7 or Triton's interpreter.

    The interpreter, `TRITON_INTERPRET=1` in the environment before Triton is first imported, runs them on CPU tensors.
    """
    return _available()


# As `torch.compiler.assume_constant_result` marks it, which would import the compiler: half of the time that importing
# the package takes.
available._dynamo_marked_constant = True  # type: ignore[attr-defined]


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


def _values(v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
    return _mix(v, weight, window, interleaved, adjoint=False)


def _gradients(grad_out: Tensor, v: Tensor, weight: Tensor, window: Window, interleaved: bool) -> tuple[Tensor, Tensor]:
    grad_v = _mix(grad_out, weight, window, interleaved, adjoint=True)
    return grad_v, _weight_gradient(grad_out, v, weight, window, interleaved)


def _mix(source: Tensor, weight: Tensor, window: Window, interleaved: bool, adjoint: bool) -> Tensor:
    """Launch `mix_kernel`."""
    from .cuda_kernels import OPTIONS, mix_kernel, sum_type

    source, weight = source.contiguous(), weight.contiguous()
    out = contiguous_like(source)
    if not out.numel():
        return out
    batch, channels, rows, columns = source.shape
    groups = weight.shape[1] // window.taps
    channels_per_group = channels // groups
    plan = mix_plan(batch * groups, channels_per_group, rows, columns, _multiprocessors(source.device))
    with torch.cuda.device_of(source):
        mix_kernel[(plan.programs,)](
            source, weight, out, groups, channels_per_group, rows, columns, *window, interleaved,
            ADJOINT=adjoint, SUM=sum_type(source.dtype), TILES=plan.tiles,
            WHOLE=plan.tiles * plan.channels == channels_per_group, ROWS=plan.rows, CHANNELS=plan.channels,
            PIXELS=32 * plan.warps, num_warps=plan.warps, **OPTIONS,
        )  # fmt: skip
    return out


def _weight_gradient(grad: Tensor, source: Tensor, weight: Tensor, window: Window, interleaved: bool) -> Tensor:
    """Launch `weight_gradient_kernel`; of `weight`, only shape and type are read."""
    from .cuda_kernels import OPTIONS, sum_type, weight_gradient_kernel

    grad, source = grad.contiguous(), source.contiguous()
    out = contiguous_like(weight)
    if not source.numel():
        return out.zero_()
    batch, channels, rows, columns = source.shape
    groups = weight.shape[1] // window.taps
    channels_per_group = channels // groups
    processors = _multiprocessors(source.device)
    plan = gradient_plan(batch * groups, channels_per_group, rows, columns, window.height, processors)
    with torch.cuda.device_of(source):
        weight_gradient_kernel[(plan.programs,)](
            grad, source, out, groups, channels_per_group, rows, columns, *window, interleaved,
            SUM=sum_type(source.dtype), TILES=plan.tiles, WHOLE=plan.tiles * plan.channels == channels_per_group,
            PARTS=plan.parts, ROWS=plan.rows, CHANNELS=plan.channels, PIXELS=32 * plan.warps,
            num_warps=plan.warps, **OPTIONS,
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


def mix_plan(image_groups: int, channels_per_group: int, height: int, width: int, multiprocessors: int) -> Plan:
    """Divide `mix_kernel`'s work: the fewest loads for each output that still fill the device."""
    # Rows, most channels, warps. Two rows of 16 channels take 168 registers a thread; more would be spilled.
    choices = ((2, 16, 4), (2, 8, 4), (2, 8, 2), (1, 8, 2), (1, 4, 2), (1, 4, 1))

    plans = []
    for rows, most, warps in choices:
        channels = _tile(channels_per_group, most)
        tiles = -(-channels_per_group // channels)
        programs = _places(height, width, rows, warps) * tiles * image_groups
        plans.append(Plan(rows, channels, warps, tiles, 1, programs))
    return _first_that_fills(plans, multiprocessors)


def gradient_plan(
    image_groups: int, channels_per_group: int, height: int, width: int, window: int, multiprocessors: int
) -> Plan:
    """Divide `weight_gradient_kernel`'s work for a window of `window` rows: a program sums over all of its channels."""
    # Gradients of up to 64 channels are held in registers, of 32 with the row below; more are read again for each tap.
    held = 1 << max(channels_per_group - 1, 0).bit_length()
    channels = held if held <= 64 else _tile(channels_per_group, 16)
    tiles = -(-channels_per_group // channels)
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


def _tile(channels_per_group: int, most: int) -> int:
    """The largest power of two, at most `most`, whose multiples cover so many channels with a quarter to spare."""
    size = most
    while -(-channels_per_group // size) * size > 1.25 * channels_per_group:
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


mix = HandWritten("mix_cuda", _values, _gradients, plain)
