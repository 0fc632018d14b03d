"""What Ultralytics measures for each task, and what of it is compared."""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """A number between 0 and 1 that a validation gives; larger is better.

    Attributes:
        key: its name in Ultralytics' results.
        title: its name for readers.
    """

    key: str
    title: str


def _average_precision(letter: str, of: str = "") -> dict[str, Metric]:
    return {
        "map": Metric(f"metrics/mAP50-95({letter})", f"{of}mAP50-95"),
        "map50": Metric(f"metrics/mAP50({letter})", f"{of}mAP50"),
        "precision": Metric(f"metrics/precision({letter})", f"{of}precision"),
        "recall": Metric(f"metrics/recall({letter})", f"{of}recall"),
    }


# Metrics by the short name that `metric=` takes; the first of a task is compared unless told otherwise.
METRICS: dict[str, dict[str, Metric]] = {
    "detect": _average_precision("B"),
    "segment": _average_precision("M", "mask ") | {"box_map": Metric("metrics/mAP50-95(B)", "box mAP50-95")},
    "pose": _average_precision("P", "pose ") | {"box_map": Metric("metrics/mAP50-95(B)", "box mAP50-95")},
    "obb": _average_precision("B"),
    "classify": {
        "top1": Metric("metrics/accuracy_top1", "top-1 accuracy"),
        "top5": Metric("metrics/accuracy_top5", "top-5 accuracy"),
    },
    "semantic": {
        "miou": Metric("metrics/mIoU", "mIoU"),
        "pixels": Metric("metrics/pixel_acc", "pixel accuracy"),
    },
    "depth": {f"delta{i}": Metric(f"metrics/delta{i}", f"delta {i}") for i in (1, 2, 3)},
}
# Tasks whose predictions are upright boxes, which have a size and can be found or missed.
WITH_BOXES = ("detect", "segment", "pose")


def asked(task: str, name: str) -> tuple[str, str]:
    """The epoch and the metric that `metric=` names: `last_map` is ("last", "map"), "" the first metric at its best.

    Raises:
        ValueError: the task has no such metric.
    """
    metrics = METRICS[task]
    epoch, short = ("last", name.removeprefix("last_")) if name.startswith("last_") else ("best", name)
    if short and short not in metrics:
        known = ", ".join([*metrics, *(f"last_{metric}" for metric in metrics)])
        raise ValueError(f"metric= takes one of {known} for the task '{task}'; got {name}.")
    return epoch, short or next(iter(metrics))


def title(task: str, epoch: str, short: str) -> str:
    """What is compared, for readers."""
    return f"{METRICS[task][short].title} of the {epoch} epoch"
