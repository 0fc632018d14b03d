"""What is verified: a checkpoint, what PyTorch computes with it, and the plain model of the same base."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...plugin.build import build
from ...plugin.checkpoint import save_full
from ...plugin.naming import opened
from ...plugin.transfer import row_texts
from ...yaml_edit.base import find_base
from ..curve import model_name
from ..runtimes.compare import largest_error, unordered
from ..runtimes.load import arrays
from .pictures import batch
from .sight import awaken, unseen

TOLERANCE = 1e-4  # of float32


@dataclass(frozen=True)
class Subject:
    """The model in the folder of a run.

    Attributes:
        name: what it is called.
        task: detect, classify, …
        classes: how many it knows.
        unordered: whether its outputs are detections in any order.
        weights: its checkpoint.
        plain: the plain model's checkpoint; None where there is none, or where the model is plain itself.
        plain_name: what that one is called.
        reference: a file with the pictures and what PyTorch gives for them.
        plain_reference: the same of the plain model.
        unseen: what a comparison would not notice.
    """

    name: str
    task: str
    classes: int
    unordered: bool
    weights: Path
    plain: Path | None
    plain_name: str
    reference: Path
    plain_reference: Path
    unseen: list[str]


def prepare(model: str, pictures: NDArray[np.float32], folder: Path) -> Subject:
    """Write the checkpoints and the reference into a folder.

    A model that is given as a YAML has no weights worth comparing: it is made live, see `sight`.

    Raises:
        FileNotFoundError: no such model.
        ValueError: a file that holds no model of Ultralytics.
    """
    torch.manual_seed(0)
    yolo = opened(model)
    if not isinstance(yolo.model, nn.Module):
        raise ValueError(f"yolo-cot verify needs a checkpoint or a model YAML; got model={model}.")
    network: Any = yolo.model.float()
    yaml = Path(model).suffix in {".yaml", ".yml"}
    if yaml:
        awaken(network, batch(pictures))
    name = Path(model).stem if yaml else model_name(Path(model).resolve())
    weights, reference = folder / f"{name}.pt", folder / "reference.npz"
    save_full(network, weights, yolo.task)
    wanted = evaluation(network)
    first = _write_reference(reference, wanted, pictures)

    def distance(picture: torch.Tensor) -> float:
        return largest_error(outputs(wanted, picture.numpy()), first, len(network.names), unordered(wanted))

    missed = unseen(wanted, distance, torch.from_numpy(pictures[:1]), TOLERANCE)
    plain, plain_name, plain_reference = _plain(network, pictures, folder / "plain", yolo.task)
    about = (name, yolo.task, len(network.names), unordered(wanted))
    return Subject(*about, weights, plain, plain_name, reference, plain_reference, missed)


def _write_reference(file: Path, network: Any, pictures: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Keep the pictures and PyTorch's outputs; returns those for the first one."""
    found = [outputs(network, picture[None]) for picture in pictures]
    held = {f"{i}_{j}": array for i, given in enumerate(found) for j, array in enumerate(given)}
    np.savez(file, pictures=pictures, **held)  # type: ignore[arg-type]
    return found[0]


def reference_outputs(file: Path) -> tuple[NDArray[np.float32], list[list[NDArray[Any]]]]:
    """The pictures, and for each what PyTorch gives."""
    with np.load(file) as held:
        pictures = held["pictures"]
        keys = [key for key in held.files if key != "pictures"]
        return pictures, [[held[k] for k in keys if k.startswith(f"{i}_")] for i in range(len(pictures))]


def evaluation(network: Any) -> Any:
    """A copy that gives what an exported file gives, in PyTorch: the checkpoint itself, nothing folded."""
    network = copy.deepcopy(network).float().eval()
    if hasattr(network, "end2end"):
        network.end2end = False  # as the exporter has it
    head = network.model[-1]
    if hasattr(head, "export"):
        head.export, head.format = True, "torchscript"
    return network


def outputs(network: Any, pictures: NDArray[np.float32]) -> list[NDArray[Any]]:
    """The arrays that such a copy gives for a batch of pictures."""
    with torch.no_grad():
        return arrays(network(torch.from_numpy(pictures)))


def _plain(network: Any, pictures: NDArray[np.float32], folder: Path, task: str) -> tuple[Path | None, str, Path]:
    """The stock model that the network was made from, live, for as many classes; its name, and its reference."""
    config, reference = getattr(network, "yaml", None) or {}, folder / "reference.npz"
    base = find_base({key: config[key] for key in ("backbone", "head") if key in config})
    if base is None:
        return None, "", reference
    scale = config.get("scale", "") if base.model.get("scales") else ""
    name = base.name(scale)
    if row_texts(config, {}) == row_texts(base.model, {}):
        return None, name, reference
    plain: Any = build({**base.model, "nc": len(network.names)}, scale, base.path.name)
    plain.names = network.names
    folder.mkdir(parents=True, exist_ok=True)
    save_full(awaken(plain, batch(pictures)), folder / f"{name}.pt", task)
    _write_reference(reference, evaluation(plain), pictures)
    return folder / f"{name}.pt", name, reference
