"""Several pictures in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def montage(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Set pictures of one size, (height, width, 3), into rows; what the last row lacks is white."""
    cells = [*pictures, *[np.full_like(pictures[0], 255)] * (-len(pictures) % columns)]
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])
