"""Triton kernels of the local mix. Importing this needs Triton; `cuda` launches them.

A program owns PIXELS pixels of one image, taken along the flattened map so that neighbouring threads read neighbouring
addresses, and CHANNELS channels of one group. Each weight it loads serves all of these channels, and with ROWS = 2 it
owns the pixels below as well, so that each value it loads serves both rows of outputs: 15 loads instead of 25 per
output of a 5 x 5 window. Whatever is summed is summed in registers by one program, without atomics.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

# Launch options. Products are added in one rounding; Triton 3.9 warns where this is left open.
OPTIONS = {"enable_fp_fusion": True}

# Sizes differ from batch to batch: a kernel compiled for one serves all. It also keeps Triton from giving a thread four
# neighbouring pixels where the width is a multiple of 16: shifted reads would then be strided.
_SIZES = ["groups", "channels_per_group", "height", "width"]


def sum_type(dtype: torch.dtype) -> tl.dtype:
    """The type in which values of `dtype` are summed."""
    return tl.float64 if dtype == torch.float64 else tl.float32


@triton.jit
def _first_channel(image_group, groups, channels_per_group, INTERLEAVED: tl.constexpr):
    """Index of a group's first channel among all channels of the batch, and the step to its next one."""
    image = image_group // groups
    group = image_group % groups
    if INTERLEAVED:
        return (image * groups * channels_per_group + group).to(tl.int64), groups
    else:
        return (image_group * channels_per_group).to(tl.int64), 1


@triton.jit
def _add_row(
    upper,
    lower,
    source,
    weight,
    own,
    y,
    x,
    n,
    height,
    width,
    owned,
    below,
    present,
    TOP: tl.constexpr,
    LEFT: tl.constexpr,
    WINDOW_H: tl.constexpr,
    WINDOW_W: tl.constexpr,
    ADJOINT: tl.constexpr,
    TO_UPPER: tl.constexpr,
    TO_LOWER: tl.constexpr,
):
    """Add row n of the neighbourhood: row n of the upper pixel's window, row n - 1 of the lower one's."""
    plane = height * width
    row = y + (TOP + n)
    in_row = owned & (row >= 0) & (row < height)
    start = row * width + x
    values = source + start
    for j in tl.static_range(WINDOW_W):
        column = x + (LEFT + j)
        there = in_row & (column >= 0) & (column < width)
        value = tl.load(values + (LEFT + j), mask=there & present, other=0).to(upper.dtype)
        if ADJOINT:
            at = weight + (start + (LEFT + j))
            tap = WINDOW_H * WINDOW_W - 1 - n * WINDOW_W - j
            if TO_UPPER:
                upper += value * tl.load(at + tap * plane, mask=there, other=0).to(upper.dtype)
            if TO_LOWER:
                lower += value * tl.load(at + (tap + WINDOW_W) * plane, mask=there, other=0).to(upper.dtype)
        else:
            at = weight + own
            tap = n * WINDOW_W + j
            if TO_UPPER:
                upper += value * tl.load(at + tap * plane, mask=owned, other=0).to(upper.dtype)
            if TO_LOWER:
                at += width
                lower += value * tl.load(at + (tap - WINDOW_W) * plane, mask=below, other=0).to(upper.dtype)
    return upper, lower


@triton.jit(do_not_specialize=_SIZES)
def mix_kernel(
    source_ptr,
    weight_ptr,
    out_ptr,
    groups,
    channels_per_group,
    height,
    width,
    TOP: tl.constexpr,
    LEFT: tl.constexpr,
    WINDOW_H: tl.constexpr,
    WINDOW_W: tl.constexpr,
    INTERLEAVED: tl.constexpr,
    ADJOINT: tl.constexpr,
    SUM: tl.constexpr,
    TILES: tl.constexpr,
    WHOLE: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """Sum each pixel's window of `source` with its weights; ADJOINT sends each pixel's value to its window instead.

    The adjoint gathers too, for no two programs may write one output: from the mirrored window, with each neighbour's
    own weight for it. SUM is the type of the sums; WHOLE, whether CHANNELS * TILES is exactly `channels_per_group`.
    """
    program = tl.program_id(0)
    # The tiles of one place are neighbours, so that its weights are still in the cache.
    tile = program % TILES
    blocks = tl.cdiv(tl.cdiv(height, ROWS) * width, PIXELS)
    image_group = program // TILES // blocks
    pixel = program // TILES % blocks * PIXELS + tl.arange(0, PIXELS)[None, :]
    y = pixel // width * ROWS
    x = pixel % width
    owned = y < height
    below = y + 1 < height
    own = y * width + x

    plane = height * width
    first, step = _first_channel(image_group, groups, channels_per_group, INTERLEAVED)
    channel = tl.arange(0, CHANNELS)[:, None]
    present = channel < (CHANNELS if WHOLE else channels_per_group - tile * CHANNELS)
    start = (first + tile * CHANNELS * step) * plane
    source = source_ptr + start + channel * (step * plane)
    out = out_ptr + start + channel * (step * plane)
    weight = weight_ptr + image_group.to(tl.int64) * (WINDOW_H * WINDOW_W) * plane

    top: tl.constexpr = -(TOP + WINDOW_H - 1) if ADJOINT else TOP
    left: tl.constexpr = -(LEFT + WINDOW_W - 1) if ADJOINT else LEFT
    upper = tl.zeros((CHANNELS, PIXELS), dtype=SUM)
    lower = tl.zeros((CHANNELS, PIXELS), dtype=SUM)
    if ROWS == 2:
        upper, lower = _add_row(
            upper, lower, source, weight, own, y, x, 0, height, width, owned, below, present,
            top, left, WINDOW_H, WINDOW_W, ADJOINT, True, False,
        )  # fmt: skip
    for n in range(ROWS - 1, WINDOW_H):
        upper, lower = _add_row(
            upper, lower, source, weight, own, y, x, n, height, width, owned, below, present,
            top, left, WINDOW_H, WINDOW_W, ADJOINT, True, ROWS == 2,
        )  # fmt: skip
    if ROWS == 2:
        upper, lower = _add_row(
            upper, lower, source, weight, own, y, x, WINDOW_H, height, width, owned, below, present,
            top, left, WINDOW_H, WINDOW_W, ADJOINT, False, True,
        )  # fmt: skip
    tl.store(out + own, upper.to(out_ptr.dtype.element_ty), mask=owned & present)
    if ROWS == 2:
        tl.store(out + own + width, lower.to(out_ptr.dtype.element_ty), mask=below & present)


@triton.jit(do_not_specialize=_SIZES)
def weight_gradient_kernel(
    grad_ptr,
    source_ptr,
    out_ptr,
    groups,
    channels_per_group,
    height,
    width,
    TOP: tl.constexpr,
    LEFT: tl.constexpr,
    WINDOW_H: tl.constexpr,
    WINDOW_W: tl.constexpr,
    INTERLEAVED: tl.constexpr,
    SUM: tl.constexpr,
    TILES: tl.constexpr,
    WHOLE: tl.constexpr,
    PARTS: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """Per pixel and tap, the product of the output's gradient and what the tap reads, summed over the group's channels.

    PARTS programs divide the rows of one place's window, to fill the device on small maps.
    """
    program = tl.program_id(0)
    part = program % PARTS
    blocks = tl.cdiv(tl.cdiv(height, ROWS) * width, PIXELS)
    image_group = program // PARTS // blocks
    pixel = program // PARTS % blocks * PIXELS + tl.arange(0, PIXELS)[None, :]
    y = pixel // width * ROWS
    x = pixel % width
    owned = y < height
    below = y + 1 < height
    own = y * width + x

    plane = height * width
    first, step = _first_channel(image_group, groups, channels_per_group, INTERLEAVED)
    channel = tl.arange(0, CHANNELS)[:, None]
    grad = grad_ptr + first * plane + channel * (step * plane)
    source = source_ptr + first * plane + channel * (step * plane)
    out = out_ptr + image_group.to(tl.int64) * (WINDOW_H * WINDOW_W) * plane + own

    if TILES == 1:
        # The usual case: the gradients stay in registers for all taps.
        present = channel < (CHANNELS if WHOLE else channels_per_group)
        upper = tl.load(grad + own, mask=owned & present, other=0).to(SUM)
        lower = upper
        if ROWS == 2:
            lower = tl.load(grad + own + width, mask=below & present, other=0).to(SUM)
    for m in range(tl.cdiv(WINDOW_H + ROWS - 1, PARTS)):
        n = m * PARTS + part
        row = y + (TOP + n)
        in_row = owned & (row >= 0) & (row < height)
        values = source + (row * width + x)
        for j in tl.static_range(WINDOW_W):
            column = x + (LEFT + j)
            there = in_row & (column >= 0) & (column < width)
            if TILES == 1:
                value = tl.load(values + (LEFT + j), mask=there & present, other=0).to(SUM)
                for_upper = tl.sum(upper * value, axis=0)[None, :]
                for_lower = tl.sum(lower * value, axis=0)[None, :]
            else:
                for_upper = tl.zeros((1, PIXELS), dtype=SUM)
                for_lower = tl.zeros((1, PIXELS), dtype=SUM)
                for tile in range(TILES):
                    skip = tile * CHANNELS * step * plane.to(tl.int64)
                    present = channel < channels_per_group - tile * CHANNELS
                    value = tl.load(values + skip + (LEFT + j), mask=there & present, other=0).to(SUM)
                    upper = tl.load(grad + skip + own, mask=owned & present, other=0).to(SUM)
                    for_upper += tl.sum(upper * value, axis=0)[None, :]
                    if ROWS == 2:
                        lower = tl.load(grad + skip + own + width, mask=below & present, other=0).to(SUM)
                        for_lower += tl.sum(lower * value, axis=0)[None, :]
            tap = out + (n * WINDOW_W + j) * plane
            if n < WINDOW_H:
                tl.store(tap, for_upper.to(out_ptr.dtype.element_ty), mask=owned)
            # For the lower pixel this is one row of taps back; it stands one row of pixels down.
            if ROWS == 2 and n > 0:
                tl.store(tap + (width - WINDOW_W * plane), for_lower.to(out_ptr.dtype.element_ty), mask=below)
