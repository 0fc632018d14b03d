"""Published checkpoints of CoTNet and VOLO into models of ours, tensor by tensor, without unpickling anything else."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..nn import CoTNetStem, VOLOStem
from .cotnet import cotnet_state
from .volo import volo_state

# The authors' networks see images normalised by the mean and deviation of ImageNet's.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Where published checkpoints keep the state dict, in the order of preference.
ENTRIES = ("state_dict", "model", "state_dict_ema")


def read_weights(file: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a `.pth`, `.pth.tar`, `.pt` or `.safetensors` file; tensors only, no other pickled code.

    The dict may stand under `state_dict`, `model` or `state_dict_ema`, and its keys may begin with `module.`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds anything but tensors and plain values, or no state dict.
    """
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"convert needs weights=FILE; {path} is not a file.")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is not a readable safetensors file: {error}.") from error
    try:
        # Training scripts put their arguments beside the weights; a namespace of them is harmless.
        allow = getattr(torch.serialization, "safe_globals", nullcontext)  # torch before 2.5 has no such list
        with allow([argparse.Namespace]):
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} holds more than tensors and plain values, and is refused: it could run any code. "
            f"{_first_line(error)}"
        ) from error
    except (RuntimeError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a readable checkpoint: {_first_line(error)}") from error
    return _state_dict(path, stored)


def _state_dict(path: Path, stored: Any) -> dict[str, Tensor]:
    if isinstance(stored, Mapping):
        stored = next((stored[entry] for entry in ENTRIES if isinstance(stored.get(entry), Mapping)), stored)
    if not isinstance(stored, Mapping) or not stored or not all(isinstance(v, Tensor) for v in stored.values()):
        raise ValueError(f"{path} holds no state dict of tensors, neither itself nor under {', '.join(ENTRIES)}.")
    return {str(key).removeprefix("module."): value for key, value in stored.items()}


def load_published(state: Mapping[str, Tensor], model: nn.Module) -> int:
    """Put a published state dict into a model of ours, whose stem normalises images from then on.

    Args:
        state: tensors under the authors' names.
        model: an Ultralytics model that begins with CoTNet's or VOLO's rows. Of a detector the backbone is filled.

    Returns:
        How many tensors of the model were filled.

    Raises:
        ValueError: the model is neither network, or weights and model are not of the same network and size.
    """
    first = model.model[0]  # type: ignore[index]
    if isinstance(first, CoTNetStem):
        renamed = cotnet_state(state, model)
    elif isinstance(first, VOLOStem):
        renamed = volo_state(state, model)
    else:
        raise ValueError(
            f"convert needs a model that begins with CoTNet's or VOLO's stem; got one that begins with "
            f"{type(first).__name__}. Use cotnet50-cls.yaml, volo-d1-cls.yaml or their kin."
        )
    try:
        told = model.load_state_dict(renamed, strict=False)
    except RuntimeError as error:
        raise ValueError(f"Weights and model are not of the same network and size: {_first_fault(error)}") from error
    rows = _filled_rows(model)
    missing = [key for key in told.missing_keys if int(key.split(".")[1]) in rows]
    if missing or told.unexpected_keys:
        what, keys = ("lack", missing) if missing else ("have, without a place for it,", told.unexpected_keys)
        raise ValueError(
            f"Weights and model are not of the same network and size: the weights {what} {keys[0]}"
            f"{f' and {len(keys) - 1} more' if len(keys) > 1 else ''}."
        )
    first.set_normalisation(IMAGENET_MEAN, IMAGENET_STD)
    return sum(int(key.split(".")[1]) in rows for key in model.state_dict())


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _first_fault(error: RuntimeError) -> str:
    return str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)


def _filled_rows(model: nn.Module) -> set[int]:
    """Rows that a published network fills: those of classes that `yolo_cot.nn` defines."""
    rows = model.model
    return {
        index
        for index, row in enumerate(rows)  # type: ignore[arg-type]
        if any(type(module).__module__.startswith("yolo_cot.nn") for module in row.modules())
    }
