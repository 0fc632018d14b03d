"""Run a model on a picture, un-fused, and record what passes through its blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import MethodType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from ultralytics import YOLO

from ...nn.gate import GatedBlock
from .placement import Placement, placement
from .readers import READERS, Reader, reader_of
from .reading import Call, Reading


class Block(NamedTuple):
    """A block of the model.

    Attributes:
        row: number of its row in the YAML.
        path: its path from the row's number on, such as `2.m.0.cv2`.
        title: row, the row's own class if that is another, and the block's.
        module: the block.
        reader: how it is read.
        gate: the gate in front of it, its own or that of a block around it; None without one.
    """

    row: int
    path: str
    title: str
    module: nn.Module
    reader: Reader
    gate: Tensor | None

    @property
    def name(self) -> str:
        """Name of its class."""
        return type(self.module).__name__


class Recording(NamedTuple):
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
    """The blocks of a model that can be read, in the model's order."""
    modules = dict(model.named_modules())
    found = []
    for path, module in modules.items():
        if (reader := reader_of(module)) is None:
            continue
        parts = path.split(".")
        row = next(i for i, part in enumerate(parts) if part.isdigit())
        inner, host = ".".join(parts[row + 1 :]), modules[".".join(parts[: row + 1])]
        title = f"row {parts[row]}: {f'{type(host).__name__} {inner}: ' if inner else ''}{type(module).__name__}"
        around = [modules[".".join(parts[:n])] for n in range(len(parts), row, -1)]
        gates = [m.gamma for m in around if isinstance(m, GatedBlock) and m.gamma is not None]
        gate = gates[0].detach().float().cpu() if gates else None
        found.append(Block(int(parts[row]), ".".join(parts[row:]), title, module, reader, gate))
    return found


class Recorder(NamedTuple):
    """The blocks of a model, and the function that runs it on a picture: `see(picture, **predict)`."""

    blocks: list[Block]
    see: Callable[..., Recording]


@contextmanager
def recorder(yolo: YOLO) -> Iterator[Recorder]:
    """Hook the sub-modules that the blocks' readers need, and let Ultralytics run the model un-fused.

    `see` takes a picture, (height, width, 3), BGR, and arguments of Ultralytics' `predict`, such as `imgsz`. At the end
    the model is as it was.

    Raises:
        ValueError: the model is an exported one, or has none of the blocks.
    """
    model = yolo.model
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"yolo-cot attention needs a checkpoint, whose blocks can be listened to; got {model}. "
            f"Use the .pt file that it was exported from."
        )
    blocks = find(model)
    if not blocks:
        raise ValueError(
            f"yolo-cot attention needs a model with one of {', '.join(block.__name__ for block in READERS)} in it, "
            f"or a block of your own with a method attention_at; got one without. Train one, such as yolo11n-cot.yaml, "
            f"or see  yolo-cot models."
        )
    calls: dict[str, dict[str, Call]] = {block.path: {} for block in blocks}
    given: list[tuple[int, int]] = []  # width and height of the model's input, the last one behind

    def keep(path: str, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            kept = [x[0].detach().float().cpu().clone() for x in (*inputs, output)]
            calls[path][name] = Call(tuple(kept[:-1]), kept[-1])

        return hook

    @torch.no_grad()
    def see(picture: np.ndarray, **predict: Any) -> Recording:
        result = yolo.predict(picture, verbose=False, save=False, **predict)[0]
        where = placement(yolo.predictor, (picture.shape[1], picture.shape[0]), given[-1])
        readings = [block.reader.read(block.module, calls[block.path]) for block in blocks]
        for block, reading in zip(blocks, readings):
            if (gate := block.gate) is not None:
                reading.numbers |= {"gate_abs": gate.abs().mean().item(), "gate_mean": gate.mean().item()}
        return Recording(picture, where, centres(result), readings)

    with ExitStack() as undo:
        yolo.predictor = None  # one made earlier may hold a fused copy
        undo.callback(setattr, yolo, "predictor", None)
        setattr(model, "fuse", MethodType(lambda self, *args, **kwargs: self, model))  # noqa: B010 - no typed attribute
        undo.callback(delattr, model, "fuse")
        size = model.register_forward_pre_hook(lambda _, x: given.append((x[0].shape[3], x[0].shape[2])))
        undo.callback(size.remove)
        for block in blocks:
            for name in block.reader.listen:
                if part := block.module if name == "" else dict(block.module.named_children()).get(name):
                    undo.callback(part.register_forward_hook(keep(block.path, name)).remove)
        yield Recorder(blocks, see)


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
