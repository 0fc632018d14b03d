"""Run a model without weights or arithmetic and see, tensor by tensor, which row's output each row was given."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from ultralytics.nn import tasks

from yolo_cot.plugin.probe import class_state

IMAGE = -1


class _HeadReached(Exception):
    """The head has its inputs: there is nothing more to see."""


def _same(x: Tensor) -> Tensor:
    return x


def trace(config: dict[str, Any], scale: str = "") -> tuple[list[list[int]], list[Any]]:
    """Build a model on the meta device with Ultralytics' parser and run Ultralytics' own forward up to the head.

    Returns:
        For every row the rows that made the tensors it was given, and the shape that it gave; of the head, those that
        it got.
    """
    config = copy.deepcopy(config)
    config["scale"] = scale or next(iter(config.get("scales") or [""]))
    for row in [*config["backbone"], *config["head"]]:
        if row[2] == "TorchVision":
            row[3][2:3] = [None]
    world = any(row[2] in ("C2fAttn", "WorldDetect") for row in [*config["backbone"], *config["head"]])
    model = (tasks.WorldModel if world else tasks.BaseModel).__new__(tasks.WorldModel if world else tasks.BaseModel)
    nn.Module.__init__(model)
    with torch.device("meta"), torch.no_grad(), class_state(config["head"][-1][2]):
        model.model, model.save = tasks.parse_model(config, 3, verbose=False)
        model.txt_feats = torch.empty(1, 80, 512)
        model.eval()
        for norm in [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]:
            norm.forward = _same  # most of the time on the meta device would go here
        image = torch.empty(1, 3, 256, 256)
        makers: dict[int, int] = {id(image): IMAGE}
        alive: list[Any] = [image]  # ids stay unique only while the tensors live
        inputs: list[list[int]] = []
        shapes: list[Any] = []

        def before(module: nn.Module, args: tuple[Any, ...]) -> None:
            given = args[0] if isinstance(args[0], list) else [args[0]]
            inputs.append([makers[id(x)] for x in given])
            if module is model.model[-1]:
                shapes.append([tuple(x.shape) for x in given])
                raise _HeadReached

        def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            if isinstance(output, Tensor) and id(output) in makers:
                output = output.view_as(output)  # an identity hands on its input: give the output a face of its own
            makers[id(output)] = len(shapes)
            alive.append(output)
            shapes.append(tuple(output.shape) if isinstance(output, Tensor) else [tuple(o.shape) for o in output])
            return output

        for module in model.model:
            module.register_forward_pre_hook(before)
            module.register_forward_hook(after)
        try:
            model.predict(image) if world else model._predict_once(image)
        except _HeadReached:
            return inputs, shapes
    raise AssertionError("the model ended before its head")


def contracted(inputs: list[list[int]], inserted: set[int]) -> list[list[int]]:
    """The traced inputs of the rows that are not `inserted`, seen through those that are, in the base's numbers."""
    old = {new: i for i, new in enumerate(n for n in range(len(inputs)) if n not in inserted)} | {IMAGE: IMAGE}

    def seen(row: int) -> int:
        while row in inserted:
            (row,) = inputs[row]
        return old[row]

    return [[seen(source) for source in inputs[n]] for n in range(len(inputs)) if n not in inserted]
