"""`yolo-cot convert weights=cotnet50.pth model=cotnet50-cls.yaml`: an authors' checkpoint as one of Ultralytics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ultralytics.utils import ROOT, YAML

from ..convert.load import load_published, read_weights
from ..plugin.checkpoint import save_full
from ..plugin.naming import opened
from .arguments import argument


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot convert weights=cotnet50.pth model=cotnet50-cls.yaml"""

    weights: Path = argument("the authors' file; only tensors are read from it")
    model: str = argument("the YAML of the same network")
    out: Path | None = argument("the checkpoint to write; the name of `weights` with .pt, here, by default", None)


def main(arguments: Arguments) -> None:
    """Convert and say where the checkpoint is.

    Raises:
        ValueError: weights that do not fit, or a checkpoint that cannot be written.
        FileNotFoundError: there is no such file.
    """
    out = arguments.out or Path(f"{arguments.weights.name.split('.')[0]}.pt")
    filled, total = convert(arguments.weights, arguments.model, out)
    print(f"Wrote {out}: {filled} of the model's {total} tensors come from {arguments.weights}.")


def convert(weights: str | Path, config: str | Path, out: str | Path) -> tuple[int, int]:
    """Write an Ultralytics checkpoint, in float32, of a model with an authors' weights.

    Args:
        weights: the authors' file; only tensors are read from it.
        config: the YAML of the same network.
        out: the checkpoint to write; its name ends in `.pt`. An existing file is kept.

    Returns:
        How many tensors were filled, and how many the model has.

    Raises:
        ValueError: weights and model do not fit, or `out` cannot be written.
        FileNotFoundError: there is no such file.
    """
    target = Path(out)
    if target.suffix != ".pt":
        raise ValueError(f"convert writes a checkpoint whose name ends in .pt; got out={target}.")
    if target.exists():
        raise ValueError(f"{target} exists and is kept. Give another out=, or move it away.")
    state = read_weights(weights)
    model = opened(config)
    network = model.model
    filled = load_published(state, network)
    head = network.model[-1]
    if hasattr(head, "linear") and head.linear.out_features == 1000:
        network.names = imagenet_names()
    save_full(network, target, model.task)
    return filled, len(network.state_dict())


def imagenet_names() -> dict[int, str]:
    """The names of ImageNet's 1,000 classes, as Ultralytics' dataset file has them."""
    return dict(YAML.load(ROOT / "cfg" / "datasets" / "ImageNet.yaml")["names"])
