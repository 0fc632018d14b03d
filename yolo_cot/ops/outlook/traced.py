"""Outlook attention at stride 1 for traced graphs: one batched matrix product, rank 4 at most.

The same sums as in the definition. The windows are merged into taps along y first and along x second; then the taps of
a run of pixels in a row are spread into a band matrix, which is multiplied by the values that the run can reach.
onnxruntime does that a third faster than a product and an addition per tap over the whole map.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from ..local_mix.window import cut

# Pixels of a row that one matrix covers: measured, and a divisor of the maps' sides at 640 x 640.
RUN = 10


def mix(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """Mix the values (B, C, H, W) by the attention (B, num_heads * k**4, H, W); for stride 1."""
    return _band_mix(v, attention, num_heads, kernel_size, _gathered)


def mix_sliced(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """The same for graphs in which a runtime may know no gathering by indices, as NCNN."""
    return _band_mix(v, attention, num_heads, kernel_size, _sliced)


def _taps(attention: Tensor, k: int, surplus: int) -> Tensor:
    """Merged taps, (N, (2k - 1)**2, h, w + surplus), channels (d_x, d_y), of attention (N, k**4, h, w).

    The channels of the attention are (i_y, i_x, j_y, j_x). `surplus` columns of zeros are appended to the map.
    """
    n, _, h, w = attention.shape
    r, side = k // 2, 2 * k - 1
    blocks = F.pad(attention, (0, 0, r, r)).split(k, 1)
    merged = []
    for ix in range(k):
        rows = _merge({(iy, jy): blocks[(iy * k + ix) * k + jy] for iy in range(k) for jy in range(k)}, k, 2)
        merged.append(torch.cat([row.reshape(n, k, 1, h * w) for row in rows], 2).reshape(n, k * side, h, w))
    columns = F.pad(torch.cat(merged, 1), (r, r + surplus)).split(side, 1)
    return torch.cat(_merge({(ix, jx): columns[ix * k + jx] for ix in range(k) for jx in range(k)}, k, 3), 1)


def _merge(blocks: dict[tuple[int, int], Tensor], k: int, axis: int) -> list[Tensor]:
    """Along one axis: add what arrives from offset j - i, which the window at i before the pixel has at its place j."""
    offsets: list[list[Tensor]] = [[] for _ in range(2 * k - 1)]
    for (i, j), block in blocks.items():
        kept = cut(k - 1 - i, k - 1)
        offsets[j - i + k - 1].append(block[:, :, kept] if axis == 2 else block[:, :, :, kept])
    return [reduce(add, terms) for terms in offsets]


def _band_mix(v: Tensor, attention: Tensor, heads: int, k: int, reached: Callable[..., Tensor]) -> Tensor:
    """Mix the values run by run; `reached` brings those that a run reaches side by side.

    The matrix of a run has a row for each pixel and a column for each (column, row) of the values that the run
    reaches; a pixel's taps are contiguous in it, and start `side` columns further for each next pixel. So the taps,
    padded to rows that are `side` longer than those of the matrix, are the matrix when they are read at its width.
    """
    b, c, h, w = v.shape
    d, side = c // heads, 2 * k - 1
    run = max(RUN, 2 * k - 2)  # a run reaches into the next one only
    reach, surplus = run + side - 1, (run - w % run) % run
    taps = _taps(attention.to(v.dtype).reshape(b * heads, k**4, h, w), k, surplus)
    rows = taps.reshape(b * heads, side * side, -1).transpose(1, 2).reshape(b * heads, -1, run, side * side)
    # Rows `side` longer than the matrix's; read at its width, each next one starts `side` columns further.
    band = F.pad(rows, (0, side * (reach + 1) - side * side)).reshape(b * heads, -1, run * side * (reach + 1))
    band = band[:, :, : run * side * reach].reshape(b * heads, -1, run, side * reach)

    last = v.reshape(b, heads, d, h * w).transpose(2, 3).reshape(b * heads, h, w, d)
    values = reached(last, k, run, surplus).reshape(b * heads, -1, side * reach, d)
    mixed = torch.matmul(band, values).reshape(b * heads, h, -1, d)[:, :, :w]
    return mixed.reshape(b, heads, h * w, d).transpose(2, 3).reshape(b, c, h, w)


def _sliced(v: Tensor, k: int, run: int, surplus: int) -> Tensor:
    """The values (N, h, w, d) that each run reaches, (N, h, runs * reach, side * d), by slices.

    Every exporter takes them.
    """
    n, h, _, d = v.shape
    side = 2 * k - 1
    padded = F.pad(v, (0, 0, k - 1, run - k + 1 + surplus, k - 1, k - 1))
    runs = padded.reshape(n * (h + side - 1), -1, run * d)
    runs = torch.cat([runs[:, :-1], runs[:, :, : (side - 1) * d][:, 1:]], 2).reshape(n, h + side - 1, -1, d)
    return torch.cat([runs[:, cut(i, side - 1)] for i in range(side)], 3)


def _gathered(v: Tensor, k: int, run: int, surplus: int) -> Tensor:
    """The same values, (N, h * runs * reach * side, d), each pixel from its place.

    One operation, whose work onnxruntime and OpenVINO share among their threads; NCNN does not know it.
    """
    n, h, w, d = v.shape
    side = 2 * k - 1
    padded = F.pad(v, (0, 0, k - 1, k - 1 + surplus, k - 1, k - 1))
    width = w + side - 1 + surplus
    y = torch.arange(h, dtype=torch.int32, device=v.device).view(-1, 1, 1, 1)
    x = torch.arange(0, w + surplus, run, dtype=torch.int32, device=v.device).view(-1, 1, 1)
    column = torch.arange(run + side - 1, dtype=torch.int32, device=v.device).view(-1, 1)
    row = torch.arange(side, dtype=torch.int32, device=v.device)
    places = (y + row) * width + x + column
    return padded.reshape(n, -1, d).index_select(1, places.flatten())
