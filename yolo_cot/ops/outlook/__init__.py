"""Outlook attention (VOLO, arXiv 2106.13112, section 3.1) without unfold and fold.

Every window centre o predicts a k^2 x k^2 matrix A_o that mixes the values of its window, and the mixed windows are
added where they overlap. Collecting, for an output pixel q, everything that arrives from the pixel q + d,

    out[q] = sum over d of W_q[d] v[q + d],     W_q[d] = sum over (i, j) with o_j - o_i = d of A_{q - o_i}[i, j],

gives (2k - 1)^2 taps per pixel instead of k^4 products per window: a local mix.

Every form has the signature `mix(v, attention, num_heads, kernel_size, stride)`; `reference` is the definition.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..route import Route, route, target
from . import exported, strided, taps, traced


def outlook(
    v: Tensor, logits: Tensor, num_heads: int, kernel_size: int = 3, stride: int = 1, dropout: float = 0.0
) -> Tensor:
    """Mix every window by its predicted attention and add the overlapping windows.

    Args:
        v: values, (B, C, H, W).
        logits: scaled attention logits (B, num_heads * k**4, ceil(H / s), ceil(W / s)), channels ordered (head, i, j):
            window position i is written as a mix, softmax over j, of the window positions j.
        num_heads: heads; head n owns the channels n * C / num_heads onwards.
        kernel_size: side k of the window, odd; windows are padded by k // 2.
        stride: distance s of the window centres.
        dropout: probability with which an attention entry is dropped (and the rest scaled up).

    Returns:
        (B, C, H, W).
    """
    way = route()
    attention = _softmax(logits, num_heads, kernel_size, way)
    if dropout:
        attention = F.dropout(attention, dropout)
    # Not every exporter of traced graphs knows gathering by indices.
    sliced = way == "traced" and not target()
    if stride > 1:
        form = strided.mix_sliced if sliced else strided.mix
        return form(v, attention, num_heads, kernel_size, stride)
    if way == "compiled":
        from . import compiled  # registers its operator when a graph is first compiled

        return compiled.mix(v, attention, num_heads, kernel_size)
    recorded = traced.mix_sliced if sliced else traced.mix
    dense = {"eager": taps.mix, "traced": recorded, "exported": exported.mix}[way]
    return dense(v, attention, num_heads, kernel_size)


def window_centres(x: Tensor, stride: int) -> Tensor:
    """What the attention of each window is predicted from: the mean of each s x s square, of what there is at the edge.

    In most graphs it is spelled out: the code that torch 2.15 generates for `ceil_mode` has wrong gradients there,
    `torch.export` fixes height and width for it, and some runtimes that take ONNX do not know it.

    Args:
        x: (B, C, H, W).
        stride: distance s of the window centres; for 1, `x` is returned.

    Returns:
        (B, C, ceil(H / s), ceil(W / s)).
    """
    if stride == 1:
        return x
    if route() in ("eager", "traced") and target() != "onnx":
        return F.avg_pool2d(x, stride, stride, ceil_mode=True)
    surplus = (0, stride - 1, 0, stride - 1)
    present = F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), surplus), stride, stride)
    return F.avg_pool2d(F.pad(x, surplus), stride, stride) / present


def _softmax(logits: Tensor, num_heads: int, k: int, way: Route) -> Tensor:
    """Softmax over the positions j, spelled out for runtimes that are slow at an axis that is not the last."""
    b, channels, h, w = logits.shape
    stacked = logits.reshape(b, num_heads * k * k, k * k, h * w)
    if way in ("eager", "compiled"):
        return stacked.softmax(2).reshape(b, channels, h, w)
    # A pooling gives the same: onnxruntime's tools for quantization know no ReduceMax. OpenVINO is slower with it.
    largest = F.max_pool2d(stacked, (k * k, 1)) if target() == "onnx" else stacked.amax(2, keepdim=True)
    shifted = (stacked - largest).exp()
    return (shifted / shifted.sum(2, keepdim=True)).reshape(b, channels, h, w)
