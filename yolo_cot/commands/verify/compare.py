"""How far the outputs of a format are from PyTorch's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Scores below this are no detections; runtimes that approximate the sigmoid differ there.
LEAST = 1e-3
Outputs = Sequence[NDArray[Any]]


def largest_error(got: Outputs, wanted: Outputs, classes: int) -> float:
    """The largest difference of any part of the outputs, relative to the largest value of that part, `LEAST` at least.

    Boxes, scores and what follows them in one array are parts of their own: boxes count in hundreds of pixels, and a
    wrong score would be lost beside them.

    Args:
        got: what the format gives.
        wanted: what PyTorch gives.
        classes: how many the model knows.

    Raises:
        ValueError: other shapes, or values that are no numbers.
    """
    shapes = [[tuple(array.shape) for array in outputs] for outputs in (got, wanted)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"it gives outputs of shapes {shapes[0]}, PyTorch {shapes[1]}")
    errors = []
    for one, other in zip(got, wanted):
        for g, w in zip(_parts(one, classes), _parts(other, classes)):
            if not np.isfinite(g).all():
                raise ValueError("it gives values that are no numbers")
            difference = np.abs(g.astype(np.float64) - w.astype(np.float64)).max()
            errors.append(float(difference / max(np.abs(w).max(), LEAST)))
    return max(errors)


def _parts(array: NDArray[Any], classes: int) -> list[NDArray[Any]]:
    """Boxes, scores and the rest of a detector's output, (B, 4 + classes + ..., anchors); any other array as it is."""
    if array.ndim != 3 or array.shape[1] < 4 + classes:
        return [array]
    cuts = np.split(array, [4, 4 + classes], axis=1)
    return [part for part in cuts if part.size]
