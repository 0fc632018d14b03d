"""What else Ultralytics must know, beside the parser: where our YAMLs are, fusing, FLOPs and processes it starts.

Each function installs one hook and returns the function that takes it out again.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ultralytics.data import utils as data_utils
from ultralytics.nn import tasks
from ultralytics.utils import dist

from ..nn.conv import ScaledConv2d, TapMeanConv2d
from ..nn.cot import PositionSoftmax
from ..nn.gate import GatedBlock
from ..nn.outlook import WindowMix
from ..paths import config_dir, data_dir

Undo = Callable[[], None]


def replace(owner: Any, name: str, make: Callable[[Callable], Callable]) -> Undo:
    """Put `make(original)` in the place of `owner.name`; the returned function puts the original back."""
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))
    return lambda: setattr(owner, name, original)


def config_lookup() -> Undo:
    """Let model YAMLs be named without a path, and survive paths that hold a digit before one of n s m l x."""

    def make(check_yaml: Callable) -> Callable:
        def find(file, *args, **kwargs):
            path = Path(str(file))
            if not path.exists():
                # Ultralytics takes the scale's letter out of the whole path; only the name should lose it.
                unscaled = path.with_name(re.sub(r"(\d+)[nslmx](?=\D|$)", r"\1", path.name, count=1))
                for candidate in (unscaled, config_dir() / path.name, config_dir() / unscaled.name):
                    if candidate.is_file() and (path.parent == Path() or candidate == unscaled):
                        return str(candidate)
            return check_yaml(file, *args, **kwargs)

        return find

    return replace(tasks, "check_yaml", make)


def data_lookup() -> Undo:
    """Let our data YAMLs be named without a path."""

    def make(check_file: Callable) -> Callable:
        def find(file, *args, **kwargs):
            path = Path(str(file))
            ours = data_dir() / path.name
            if path.parent == Path() and path.suffix in {".yaml", ".yml"} and not path.exists() and ours.is_file():
                return str(ours)
            return check_file(file, *args, **kwargs)

        return find

    return replace(data_utils, "check_file", make)


def fusing() -> Undo:
    """Fold our blocks after Ultralytics has folded batch norm, and print the summary of the result."""

    def make(fuse: Callable) -> Callable:
        signature = inspect.signature(fuse)

        def fuse_all(self, *args, **kwargs):
            blocks = [m for m in self.modules() if isinstance(m, GatedBlock)]
            if not blocks:
                return fuse(self, *args, **kwargs)
            call = signature.bind(self, *args, **kwargs)
            call.apply_defaults()
            wanted, was_fused = call.arguments["verbose"], self.is_fused()
            call.arguments["verbose"] = False
            fuse(*call.args, **call.kwargs)
            for block in blocks:
                block.fuse()
            if wanted and not was_fused:
                self.info(verbose=True, **{k: v for k, v in call.arguments.items() if k == "imgsz"})
            return self

        return fuse_all

    return replace(tasks.BaseModel, "fuse", make)


def flops() -> Undo:
    """Tell Ultralytics' FLOP counter what our operations compute; without it they count as 0."""
    try:
        from thop.profile import register_hooks
    except ImportError:  # Ultralytics works without it, and then reports no FLOPs at all
        return lambda: None

    def count(module, inputs, output):
        module.total_ops += module.macs(inputs, output)

    for cls in (TapMeanConv2d, ScaledConv2d, PositionSoftmax, WindowMix):
        register_hooks[cls] = count

    def undo() -> None:
        for cls in (TapMeanConv2d, ScaledConv2d, PositionSoftmax, WindowMix):
            register_hooks.pop(cls, None)

    return undo


def ddp_children() -> Undo:
    """Let the processes of multi-GPU training import this package before they build the model."""
    root = str(Path(__file__).resolve().parents[2])

    def make(generate: Callable) -> Callable:
        def generate_with_import(trainer):
            name = generate(trainer)
            file = Path(name)
            text = file.read_text(encoding="utf-8")
            # The package may be a checkout that only the parent's sys.path knows; it goes last, so it shadows nothing.
            ours = rf"\1import sys; sys.path.append({root!r}); import yolo_cot" + "\n"
            pattern = r"^([ \t]*)(?=from ultralytics)"
            text, found = re.subn(pattern, lambda m: m.expand(ours.replace("\\\\", "\\")) + m[1], text, 1, re.M)
            if not found:
                raise RuntimeError(f"yolo_cot could not add its import to the script of multi-GPU training: {name}.")
            file.write_text(text, encoding="utf-8")
            return name

        return generate_with_import

    return replace(dist, "generate_ddp_file", make)


def safe_globals() -> Undo:
    """Allow our classes in checkpoints that are loaded with `weights_only=True`; nothing else."""
    if not hasattr(torch.serialization, "add_safe_globals"):
        return lambda: None
    from .. import nn as blocks
    from ..nn import conv, cot, outlook

    ours = [getattr(blocks, name) for name in blocks.__all__]
    ours += [conv.TapMeanConv2d, conv.ScaledConv2d, cot.PositionSoftmax, outlook.WindowMix]
    torch.serialization.add_safe_globals(ours)
    return lambda: None


HOOKS: tuple[Callable[[], Undo], ...] = (config_lookup, data_lookup, fusing, flops, ddp_children, safe_globals)
