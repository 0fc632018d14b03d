"""How far the outputs of a format are from PyTorch's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

# Scores below this are no detections; runtimes that approximate the sigmoid differ there.
LEAST = 1e-3
Outputs = Sequence[NDArray[Any]]


def largest_error(got: Outputs, wanted: Outputs, classes: int, unordered: bool = False) -> float:
    """The largest difference of any part of the outputs, relative to the largest value of that part, `LEAST` at least.

    Boxes, scores and what follows them in one array are parts of their own: boxes count in hundreds of pixels, and a
    wrong score would be lost beside them.

    Args:
        got: what the format gives.
        wanted: what PyTorch gives.
        classes: how many the model knows.
        unordered: whether the outputs are detections in any order, see `paired`.

    Raises:
        ValueError: other shapes, or values that are no numbers.
    """
    shapes = [[tuple(array.shape) for array in outputs] for outputs in (got, wanted)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"it gives outputs of shapes {shapes[0]}, PyTorch {shapes[1]}")
    if not all(np.isfinite(array).all() for array in got):
        raise ValueError("it gives values that are no numbers")
    errors = []
    for one, other in zip(got, wanted):
        ours, theirs = paired(one, other) if unordered else (one, other)
        for g, w in zip(*(_parts(array, classes, unordered) for array in (ours, theirs))):
            difference = np.abs(g.astype(np.float64) - w.astype(np.float64)).max()
            errors.append(float(difference / max(np.abs(w).max(), LEAST)))
    return max(errors)


def paired(got: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Detections, (B, N, values), each beside that of another output to which it is nearest, one to one.

    RT-DETR's head and the heads without NMS keep the surest. Rounding decides which of two that are alike comes first,
    and which is the last one that is kept: so the 1 % of the pairs that are farthest apart are left out.
    """
    ours, theirs = [], []
    for one, other in zip(got, wanted):
        apart = np.abs(other[:, None] - one[None]).max(axis=-1)
        rows, order = linear_sum_assignment(apart)
        kept = np.argsort(apart[rows, order], kind="stable")[: len(rows) - len(rows) // 100]
        ours.append(one[order[kept]])
        theirs.append(other[rows[kept]])
    return np.stack(ours), np.stack(theirs)


def unordered(network: Any) -> bool:
    """Whether the head of a network gives detections in any order, see `paired`."""
    head = network.model[-1]
    return hasattr(head, "num_queries") or bool(getattr(head, "end2end", False))


def _parts(array: NDArray[Any], classes: int, rows: bool) -> list[NDArray[Any]]:
    """Boxes, scores and the rest of a detector's output, (B, 4 + classes + ..., anchors); any other array as it is.

    Where every row is a detection, (B, N, values), they are cut likewise: its box, the next value and the rest.
    """
    if rows:
        cuts = np.split(array, [4, 5], axis=2)
    elif array.ndim != 3 or array.shape[1] < 4 + classes:
        cuts = [array]
    else:
        cuts = np.split(array, [4, 4 + classes], axis=1)
    return [part for part in cuts if part.size]
