"""The files of a data set, found as Ultralytics finds them for its trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from ultralytics.cfg import get_cfg
from ultralytics.data import build_yolo_dataset
from ultralytics.data.utils import IMG_FORMATS
from ultralytics.engine.trainer import BaseTrainer


class Split(NamedTuple):
    """The pictures of one split, and their label files, which need not all exist; none for classification."""

    pictures: list[Path]
    labels: list[Path]


class Files(NamedTuple):
    """The files of a data set by split, and the names of its classes."""

    splits: dict[str, Split]
    names: list[str]


def dataset_files(settings: Mapping[str, Any], splits: Sequence[str], task: str) -> Files:
    """Find the files of a data set.

    Args:
        settings: train arguments of Ultralytics, `data` among them.
        splits: names of splits, such as `train` and `val`.
        task: `detect`, `classify`, ...

    Raises:
        ValueError: the data set is not there or not whole, or has no such split.
    """
    # Not into memory: whoever trains on the pictures does that.
    cfg = get_cfg(overrides={**settings, "task": task, "mode": "train", "cache": False})
    try:
        data = BaseTrainer.get_dataset(SimpleNamespace(args=cfg))
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    found = {}
    for split in splits:
        if not data.get(split):
            raise ValueError(f"{settings['data']} has no split '{split}'. Add it, or measure another with split=.")
        found[split] = _folder(Path(data[split])) if task == "classify" else _listed(cfg, data, split)
    names = data["names"]
    return Files(found, [str(name) for name in (names.values() if isinstance(names, dict) else names)])


def _folder(root: Path) -> Split:
    return Split(sorted(p for p in root.rglob("*") if p.suffix[1:].lower() in IMG_FORMATS), [])


def _listed(cfg: Any, data: dict[str, Any], split: str) -> Split:
    mode = "train" if split == "train" else "val"
    dataset = build_yolo_dataset(cfg, data[split], 1, data, mode)
    labels = _labels(dataset)
    # Older releases know a changed label file by its size alone, and go on with what they have read before.
    if _outdated(cache := labels[0].parent.with_suffix(".cache"), labels):
        cache.unlink(missing_ok=True)
        dataset = build_yolo_dataset(cfg, data[split], 1, data, mode)
        labels = _labels(dataset)
    return Split([Path(file) for file in dataset.im_files], labels)


def _outdated(cache: Path, labels: Sequence[Path]) -> bool:
    """Whether a label file has changed since a cache was written, whatever time `cp -p` and the like gave it."""
    try:
        written = cache.stat().st_mtime
    except FileNotFoundError:  # there is none, or a run beside this one has just removed it
        return False
    return any(max(p.stat().st_mtime, p.stat().st_ctime) > written for p in labels if p.is_file())


def _labels(dataset: Any) -> list[Path]:
    """The label files, or the masks or depth maps in their place."""
    kinds = ("label_files", "mask_files", "depth_files")
    return [Path(file) for file in next(getattr(dataset, kind) for kind in kinds if hasattr(dataset, kind))]
