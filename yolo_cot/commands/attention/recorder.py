"""Run a model on a picture, un-fused, and record what passes through its blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from ultralytics import YOLO

from ...nn.gate import GatedBlock
from .placement import Placement, placement
from .readers import READERS, Reader
from .reading import Call, Reading


class Block(NamedTuple):
    """A block of the model.

    Attributes:
        row: number of its row in the YAML.
        path: its path from the row's number on, such as `2.m.0.cv2`.
        name: name of its class.
        title: row, the row's own class if that is another, and the block's.
        module: the block.
        reader: how it is read.
        gate: the gate in front of it, its own or that of a block around it; None without one.
    """

    row: int
    path: str
    name: str
    title: str
    module: nn.Module
    reader: Reader
    gate: Tensor | None


@dataclass
class Recording:
    """What the blocks look at in one picture.

    Attributes:
        picture: the picture, (height, width, 3), BGR.
        placement: where the model's input lies in it.
        centres: the centres of what was detected, (x, y) in pixels of the picture, the surest first.
        readings: one for each block.
    """

    picture: np.ndarray
    placement: Placement
    centres: list[tuple[float, float]]
    readings: list[Reading]


def find(model: nn.Module) -> list[Block]:
    """The blocks of a model that there are `READERS` for, in the model's order."""
    modules = dict(model.named_modules())
    found = []
    for path, module in modules.items():
        reader = READERS.get(type(module))
        if reader is None:
            continue
        parts = path.split(".")
        row = next(i for i, part in enumerate(parts) if part.isdigit())
        inner, host = ".".join(parts[row + 1 :]), modules[".".join(parts[: row + 1])]
        name = type(module).__name__
        title = f"row {parts[row]}: {f'{type(host).__name__} {inner}: ' if inner else ''}{name}"
        around = [modules[".".join(parts[:n])] for n in range(len(parts), row, -1)]
        gates = [m.gamma for m in around if isinstance(m, GatedBlock) and m.gamma is not None]
        gate = gates[0].detach().float().cpu() if gates else None
        found.append(Block(int(parts[row]), ".".join(parts[row:]), name, title, module, reader, gate))
    return found


class Recorder:
    """A model with hooks at the sub-modules that its blocks' readers need.

    Args:
        yolo: the model. It is left as it is: Ultralytics runs it un-fused here, and the hooks go at the end.

    Raises:
        ValueError: the model is an exported one, or has none of the blocks.
    """

    def __init__(self, yolo: YOLO):
        if not isinstance(yolo.model, nn.Module):
            raise ValueError(
                f"yolo-cot attention needs a checkpoint, whose blocks can be listened to; got {yolo.model}. "
                f"Use the .pt file that it was exported from."
            )
        self.yolo = yolo
        self.blocks = find(yolo.model)
        if not self.blocks:
            raise ValueError(
                f"yolo-cot attention needs a model with one of {', '.join(block.__name__ for block in READERS)} in it; "
                f"got one without. Train one, such as yolo11n-cot.yaml, or see  yolo-cot models."
            )
        self.calls: dict[str, dict[str, Call]] = {block.path: {} for block in self.blocks}
        self.given = (0, 0)
        self._handles: list[Any] = []

    def __enter__(self) -> Recorder:
        """Put the hooks in place."""
        model = self.yolo.model
        self.yolo.predictor = None  # one made earlier may hold a fused copy
        model.fuse = MethodType(lambda self, *args, **kwargs: self, model)
        self._handles.append(model.register_forward_pre_hook(self._note_size()))
        for block in self.blocks:
            for name in block.reader.listen:
                if part := dict(block.module.named_children()).get(name):
                    self._handles.append(part.register_forward_hook(self._keep(block.path, name)))
        return self

    def __exit__(self, *error: object) -> None:
        """Take the hooks out again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        del self.yolo.model.fuse
        self.yolo.predictor = None

    # Functions rather than methods are hooked: Ultralytics copies the model, and a copied method would call a copied
    # recorder.
    def _note_size(self) -> Callable:
        def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.given = inputs[0].shape[3], inputs[0].shape[2]

        return note

    def _keep(self, path: str, name: str) -> Callable:
        def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            kept = [x[0].detach().float().cpu().clone() for x in (*inputs, output)]
            self.calls[path][name] = Call(tuple(kept[:-1]), kept[-1])

        return keep

    @torch.no_grad()
    def see(self, picture: np.ndarray, **predict: Any) -> Recording:
        """Run the model on a picture and read the blocks.

        Args:
            picture: (height, width, 3), BGR.
            **predict: arguments of Ultralytics' `predict`, such as `imgsz`.
        """
        result = self.yolo.predict(picture, verbose=False, save=False, **predict)[0]
        height, width = picture.shape[:2]
        readings = []
        for block in self.blocks:
            reading = block.reader.read(block.module, self.calls[block.path])
            if (gate := block.gate) is not None:
                reading.numbers |= {"gate_abs": gate.abs().mean().item(), "gate_mean": gate.mean().item()}
            readings.append(reading)
        where = placement(self.yolo.predictor, (width, height), self.given)
        return Recording(picture, where, centres(result), readings)


def centres(result: Any) -> list[tuple[float, float]]:
    """Centres of what was detected, inside the picture, the surest first."""
    boxes = result.boxes if result.boxes is not None else result.obb
    if boxes is None:
        return []
    height, width = result.orig_shape
    middle = boxes.xywh if hasattr(boxes, "xywh") else boxes.xywhr
    order = boxes.conf.argsort(descending=True).tolist()
    found = [(float(middle[i][0]), float(middle[i][1])) for i in order]
    return [(min(max(x, 0.0), width - 0.5), min(max(y, 0.0), height - 0.5)) for x, y in found]
