"""The golden networks' input and weights, drawn from seeds as tests/golden/README.md says."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden"


@cache
def published() -> dict[str, Any]:
    """What tests/golden/models.json holds of every published network."""
    return json.loads((GOLDEN / "models.json").read_text(encoding="utf-8"))


def image(size: int) -> Tensor:
    """The input, (1, 3, size, size), float64."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, size, size)))


def state(network: str) -> dict[str, Tensor]:
    """A state dict under the authors' keys, float32, for a network whose keys are listed."""
    return {key: _drawn(key, tuple(shape)) for key, shape in published()[network]["state_dict"]}


def _drawn(key: str, shape: tuple[int, ...]) -> Tensor:
    random = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if key.endswith("running_var"):
        values = 1 + 0.5 * random.random(shape)
    elif key.endswith("running_mean"):
        values = 0.1 * random.standard_normal(shape)
    elif len(shape) >= 2:
        values = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    elif key.endswith("weight"):
        values = 1 + 0.1 * random.standard_normal(shape)
    else:
        values = 0.1 * random.standard_normal(shape)
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
