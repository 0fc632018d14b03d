"""The one table of tolerances, relative to the largest value of what is compared."""

import torch
from torch import Tensor

PARITY = 1e-12  # the same formula in another order, float64
GOLDEN = 1e-9  # numbers from the authors' code, float64
FUSED = 1e-9  # batch norm and constants folded, float64
EXPORTED = 2e-5  # another runtime, float32


def distance(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest wanted value (or absolute, where that is below 1e-6)."""
    assert got.shape == wanted.shape, f"shapes differ: {tuple(got.shape)} and {tuple(wanted.shape)}"
    if not wanted.numel():
        return 0.0
    scale = wanted.abs().max().item()
    gap = (got.to(torch.float64) - wanted.to(torch.float64)).abs().max().item()
    return gap / scale if scale > 1e-6 else gap
