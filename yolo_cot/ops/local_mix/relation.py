"""Local relation: every pixel's query against the keys of its k x k neighbours.

    out[b, n, (i, j), y, x] = sum over the channels c of head n of query[b, c, y, x] * key[b, c, y + i - r, x + j - r]

with zeros outside the map, r = k // 2: the "local matrix multiplication" of CoTNet (arXiv 2107.12292, equation 1).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .window import cut


def local_relation(query: Tensor, key: Tensor, num_heads: int, kernel_size: int) -> Tensor:
    """Compare every pixel's query with its neighbours' keys, tap by tap.

    Args:
        query: (B, C, H, W), C a multiple of `num_heads`.
        key: (B, C, H, W).
        num_heads: heads; head n owns the channels n * C / num_heads onwards.
        kernel_size: side k of the neighbourhood, odd.

    Returns:
        (B, num_heads * k * k, H, W), head-major: the layout that `local_mix` takes its weights in.
    """
    b, c, h, w = query.shape
    k, r = kernel_size, kernel_size // 2
    padded = F.pad(key, (r, r, r, r))
    taps = []
    for i in range(k):
        for j in range(k):
            product = query * padded[:, :, cut(i, 2 * r), cut(j, 2 * r)]
            taps.append(product.reshape(b, num_heads, c // num_heads, h * w).sum(2, keepdim=True))
    return torch.cat(taps, 2).reshape(b, num_heads * k * k, h, w)
