"""Build the rows of a model YAML one by one on the meta device: what each gives, without weights or arithmetic.

Every row goes alone through Ultralytics' own `parse_model`, so the answer holds for any module that the parser knows,
and a row that cannot be built says why while the rows around it are still looked at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import C2fAttn, Conv, ImagePoolingAttn

from .catalog import Block, find
from .catalog.files import KEY as BLOCKS_KEY
from .layers import class_named, is_head
from .plain_rows import few_modules, refusal
from .row_errors import MOST_REASON, one_line, rows

IMAGE = -1
# What the parser reads beside the rows, `activation` aside: it is evaluated as Python, and changes no shape.
SETTINGS = ("nc", "scales", "depth_multiple", "width_multiple", "kpt_shape", "reg_max", "end2end")


@dataclass(frozen=True)
class Probed:
    """What one row gives.

    Attributes:
        module: the module as the parser built it, on the meta device; None where it could not be built.
        output: its output for an image of the probe's size: a meta tensor, a tuple of them, or None where it is not
            known (a head, a row that failed, a row that reads one).
        error: why the row could not be built or run, or "".
        unchecked: why it is not known whether it can be, or "": a module that needs real tensors says nothing here.
    """

    module: nn.Module | None = None
    output: Tensor | tuple[Tensor, ...] | None = None
    error: str = ""
    unchecked: str = ""
    imgsz: int = 640

    @property
    def shape(self) -> tuple[Any, ...] | None:
        """Shape of the output, nested where there are several; None where it is not known."""
        return None if self.output is None else _shape(self.output)

    @property
    def channels(self) -> int | None:
        """Channels of the feature map that the row gives, None where it gives none."""
        return self.output.shape[1] if isinstance(self.output, Tensor) and self.output.ndim == 4 else None

    @property
    def stride(self) -> int | None:
        """Pixels of the image per pixel of the row's feature map, as a power of two; None where it gives no map."""
        if not isinstance(self.output, Tensor) or self.output.ndim != 4 or not self.output.shape[-1]:
            return None
        return 2 ** round(math.log2(self.imgsz / self.output.shape[-1]))


def probe(
    model: dict[str, Any],
    scale: str = "",
    imgsz: int = 640,
    ch: int = 3,
    assume: Callable[[list[Any], tuple[Any, ...]], Any] | None = None,
) -> list[Probed]:
    """Build and run every row of a model on the meta device, in order.

    Args:
        model: the model YAML as a dictionary; each row is [from, repeats, module, args].
        scale: the letter of the scale; the first one of the YAML if empty, as Ultralytics does.
        imgsz: height and width of the image in pixels.
        ch: channels of the image.
        assume: asked for the output's shape of a row that failed, given the row and the shapes of its inputs, so that
            the rows below it can be looked at; may answer None.

    Returns:
        One `Probed` per row of backbone + head. Errors are told in it, none is raised.
    """
    settings = {key: model[key] for key in SETTINGS if key in model}
    named = model.get(BLOCKS_KEY)
    named = named if isinstance(named, list) else [named]
    own = {str(name).rpartition(".")[2] for name in named}
    settings["scale"] = scale or next(iter(settings.get("scales") or [""]))
    image = Probed(output=torch.empty(1, ch, imgsz, imgsz, device="meta"), imgsz=imgsz)
    done: list[Probed] = []
    for i, row in enumerate(rows(model)):
        read = row[0] if isinstance(row[0], list) else [row[0]]
        inputs = []
        for f in read:
            at = i + f if f < 0 else f
            inputs.append(image if at == IMAGE and i == 0 else done[at] if 0 <= at < i else Probed())
        outputs = [p.output for p in inputs]
        if any(o is None for o in outputs):
            done.append(Probed(imgsz=imgsz))
            continue
        if row[2] in own and class_named(row[2]) is None:
            # Opening a model imports the file of such a block; looking at one imports nothing.
            kept = None if isinstance(row[0], list) else outputs[0]
            why = f"{row[2]} comes from {BLOCKS_KEY}:, and looking at a model imports nothing; trust=True does"
            done.append(Probed(output=kept, unchecked=why, imgsz=imgsz))
            continue
        text = json.dumps([settings, row[1:], isinstance(row[0], list)], default=str, skipkeys=True)
        shapes = tuple(_shape(o) for o in outputs)
        result = _build(tasks.parse_model, find(row[2]), text, shapes)
        if (result.error or result.unchecked) and assume and (shape := assume(row, shapes)):
            result = replace(result, output=_empty(shape))
        done.append(replace(result, imgsz=imgsz))
    return done


def _shape(output: Any) -> tuple[Any, ...]:
    return tuple(output.shape) if isinstance(output, Tensor) else tuple(_shape(o) for o in output)


def _empty(shape: Sequence[Any]) -> Any:
    if shape and isinstance(shape[0], tuple):
        return tuple(_empty(s) for s in shape)
    return torch.empty(*shape, device="meta")


def _channels(shape: Sequence[Any]) -> Any:
    return [_channels(s) for s in shape] if shape and isinstance(shape[0], tuple) else shape[1]


@lru_cache(maxsize=4096)
def _build(parse: Callable[..., Any], block: Block | None, text: str, shapes: tuple[Any, ...]) -> Probed:
    """Build one row from the shapes of its inputs.

    Cached, for the YAMLs of one family share most of their rows; `parse` and the row's `block` are part of the key
    because the rows that can be built depend on what is registered.
    """
    model, (repeats, name, args), listed = json.loads(text)
    try:
        depth = model["scales"][model["scale"]][0] if model.get("scales") else model.get("depth_multiple", 1.0)
        # Text or a list times the repeats could be larger than any memory.
        if not isinstance(depth, (int, float)):
            return Probed(error="its depth is scaled by what is no number.")
        if reason := refusal(name, repeats * depth, args, model):
            return Probed(error=reason)
        if name == "TorchVision":
            args[2:3] = [None]  # "DEFAULT" would download weights
        # The parser keeps channels per row: of several inputs, each gets a row of its own, of the channels that it has.
        inputs = [[0, 1, "Index", [_channels(s), j]] for j, s in enumerate(shapes)]
        several = [[-1, 1, "nn.Identity", []], *inputs, [list(range(1, len(shapes) + 1)), repeats, name, args]]
        model |= {"backbone": several if listed else [[-1, repeats, name, args]], "head": []}
        with torch.device("meta"), class_state(name), few_modules():
            module = parse(model, 3 if listed else _channels(shapes[0]), verbose=False)[0][-1].eval()
            output = None if is_head(name) else _run(module, [_empty(s) for s in shapes], listed)
    except Exception as error:  # any module may raise anything: the caller reports it beside the row
        # A row is told by its number in the caller's file, not by the one that it has here.
        told = re.sub(r"^model dictionary row \d+(?: \(\w+\))?:? ?", "", str(error)) or type(error).__name__
        told = one_line(told, MOST_REASON)
        return Probed(unchecked=told) if re.search(r"\bmeta\b", told, re.IGNORECASE) else Probed(error=told)
    return Probed(module, output)


@contextmanager
def class_state(name: str) -> Iterator[None]:
    """Put back what the parser writes into classes while it builds: the default activation, the form of head `name`.

    Older releases of Ultralytics leave the activation of one model to every later one.
    """
    cls = class_named(name)
    act, legacy = Conv.default_act, vars(cls).get("legacy") if cls else None
    try:
        yield
    finally:
        Conv.default_act = act
        if legacy is not None:
            setattr(cls, "legacy", legacy)  # noqa: B010


@torch.no_grad()
def _run(module: nn.Module, inputs: list[Any], listed: bool) -> Any:
    x = inputs if listed else inputs[0]
    if isinstance(module, C2fAttn):
        return module(x, torch.empty(1, 80, module.attn.gl.in_features))
    if isinstance(module, ImagePoolingAttn):
        return None  # it changes the text features; what it returns is no feature map
    output = module(x)
    if not _is_output(output):
        raise ValueError(f"it gives a {type(output).__name__}, no tensor and no list of them.")
    return output


def _is_output(output: Any) -> bool:
    if isinstance(output, (list, tuple)):
        return bool(output) and all(map(_is_output, output))
    return isinstance(output, Tensor)
