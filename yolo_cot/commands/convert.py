"""`yolo-cot convert weights=cotnet50.pth model=cotnet50-cls.yaml`: an authors' checkpoint as one of Ultralytics."""

from __future__ import annotations

from pathlib import Path

from ..convert.load import load_published, read_weights
from ..plugin.checkpoint import save_full


def main(overrides: dict[str, object]) -> None:
    """Convert and say where the checkpoint is.

    Args:
        overrides: `weights`, the authors' file; `model`, the YAML of the same network; `out`, the checkpoint to write
            (the name of `weights` with `.pt`, in the working directory, by default).

    Raises:
        ValueError: an argument that does not exist or is missing, or weights that do not fit.
        FileNotFoundError: there is no such file.
    """
    unknown = set(overrides) - {"weights", "model", "out"}
    if unknown:
        raise ValueError(f"yolo-cot convert takes weights=, model= and out=; got {', '.join(sorted(unknown))}.")
    if not overrides.get("weights") or not overrides.get("model"):
        raise ValueError(
            "yolo-cot convert needs weights and a model. Example: yolo-cot convert weights=cotnet50.pth "
            "model=cotnet50-cls.yaml"
        )
    weights, config = Path(str(overrides["weights"])), str(overrides["model"])
    out = Path(str(overrides.get("out") or f"{weights.name.split('.')[0]}.pt"))
    filled, total = convert(weights, config, out)
    print(f"Wrote {out}: {filled} of the model's {total} tensors come from {weights}.")


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
    from ultralytics import YOLO

    target = Path(out)
    if target.suffix != ".pt":
        raise ValueError(f"convert writes a checkpoint whose name ends in .pt; got out={target}.")
    if target.exists():
        raise ValueError(f"{target} exists and is kept. Give another out=, or move it away.")
    state = read_weights(weights)
    model = YOLO(str(config))
    network = model.model
    filled = load_published(state, network)
    head = network.model[-1]
    if hasattr(head, "linear") and head.linear.out_features == 1000:
        network.names = imagenet_names()
    save_full(network, target, model.task)
    return filled, len(network.state_dict())


def imagenet_names() -> dict[int, str]:
    """The names of ImageNet's 1,000 classes, as Ultralytics' dataset file has them."""
    from ultralytics.utils import ROOT, YAML

    return dict(YAML.load(ROOT / "cfg" / "datasets" / "ImageNet.yaml")["names"])
