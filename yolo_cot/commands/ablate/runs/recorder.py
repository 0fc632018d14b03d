"""Ultralytics' trainers and validators, keeping what an ablation needs to know."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ultralytics.utils import ops

from ..detections import Detections


class Recorder:
    """In front of a trainer: a digest of the batches, and the number of optimizer steps."""

    digest: Any = None
    steps = 0

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Note pictures, their order, their pixels and labels; then let Ultralytics take the batch to the device."""
        if self.digest is None:
            self.digest = hashlib.sha256()
        self.digest.update("\n".join(Path(name).name for name in batch.get("im_file", ())).encode())
        for name, value in sorted(batch.items()):
            if isinstance(value, torch.Tensor):
                self.digest.update(f"\n{name} {zlib.crc32(value.contiguous().numpy().data)}".encode())
        return super().preprocess_batch(batch)  # type: ignore[misc]

    def optimizer_step(self) -> None:
        """Count the step."""
        self.steps += 1
        super().optimizer_step()  # type: ignore[misc]


class BoxKeeper:
    """In front of a validator: the boxes of all pictures, found and there, in pixels of the pictures."""

    def init_metrics(self, model: Any) -> None:
        """Start anew."""
        self.kept: list[tuple[str, np.ndarray, np.ndarray]] = []
        super().init_metrics(model)  # type: ignore[misc]

    def update_metrics(self, preds: Any, batch: dict[str, Any]) -> None:
        """Note the boxes of a batch: corners, confidence and class of those found, corners and class of those there."""
        height, width = batch["img"].shape[2:]
        for i, found in enumerate(preds):
            mine = batch["batch_idx"] == i
            there = ops.xywh2xyxy(batch["bboxes"][mine]) * batch["bboxes"].new_tensor([width, height, width, height])
            kind = found["cls"] * (not self.args.single_cls)  # type: ignore[attr-defined]
            rows = [
                torch.column_stack([self._in_picture(found["bboxes"], batch, i), found["conf"], kind]),
                torch.column_stack([self._in_picture(there, batch, i), batch["cls"][mine]]),
            ]
            self.kept.append((batch["im_file"][i], *(each.cpu().numpy().astype(np.float32) for each in rows)))
        super().update_metrics(preds, batch)  # type: ignore[misc]

    @staticmethod
    def _in_picture(boxes: torch.Tensor, batch: dict[str, Any], i: int) -> torch.Tensor:
        gains, padding = batch["ratio_pad"][i]
        if not isinstance(gains, (tuple, list)):  # stretched, as older releases do for RT-DETR: gains are all there is
            gains, padding = (gains, padding), (0.0, 0.0)
        moved = boxes - boxes.new_tensor([*padding, *padding])
        return ops.clip_boxes(moved / boxes.new_tensor([gains[1], gains[0]] * 2), batch["ori_shape"][i])

    def detections(self) -> Detections:
        """The boxes that were found, and those that are there."""
        files, found, there = zip(*self.kept)
        guesses, truth = np.concatenate(found), np.concatenate(there)
        return Detections(
            files=np.array(files),
            image=_repeated(found),
            box=guesses[:, :4],
            confidence=guesses[:, 4],
            kind=guesses[:, 5].astype(np.int32),
            there_image=_repeated(there),
            there_box=truth[:, :4],
            there_kind=truth[:, 4].astype(np.int32),
        )


def _repeated(parts: Sequence[np.ndarray]) -> NDArray[np.int32]:
    """The number of its part for every row."""
    return np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts])


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and PyTorch's generators at `seed`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def same_start(trainer: Any, seed: int) -> None:
    """Start every generator at `seed`, that of the data loader too, which older releases start at a constant."""
    seed_everything(seed)
    trainer.train_loader.generator.manual_seed(seed)
    trainer.train_loader.reset()
