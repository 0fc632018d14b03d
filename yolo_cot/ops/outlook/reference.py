"""The published form of outlook attention, unfold - multiply - fold: the definition."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def mix(v: Tensor, attention: Tensor, num_heads: int, kernel_size: int, stride: int = 1) -> Tensor:
    """Mix every window of the values (B, C, H, W) by its attention (B, num_heads * k**4, h, w), and add the windows."""
    k, s, p = kernel_size, stride, kernel_size // 2
    b, c, height, width = v.shape
    h, w = attention.shape[2:]
    windows = F.unfold(v, k, padding=p, stride=s).reshape(b, num_heads, c // num_heads, k * k, h * w)
    matrices = attention.reshape(b, num_heads, k * k, k * k, h * w).permute(0, 1, 4, 2, 3)
    mixed = (matrices @ windows.permute(0, 1, 4, 3, 2)).permute(0, 1, 4, 3, 2).reshape(b, c * k * k, h * w)
    return F.fold(mixed, (height, width), k, padding=p, stride=s)
