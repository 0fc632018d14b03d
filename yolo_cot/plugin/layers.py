"""The modules that a row of a model YAML may name."""

from __future__ import annotations

from torch import nn
from ultralytics.nn import tasks

from .catalog import find

# Kinds of modules of torch.nn that take and give one tensor; the others are containers, losses, networks.
_KINDS = (
    *("activation", "batchnorm", "channelshuffle", "conv", "dropout", "flatten", "fold", "instancenorm", "linear"),
    *("normalization", "padding", "pixelshuffle", "pooling", "upsampling"),
)


def class_named(name: str) -> type[nn.Module] | None:
    """The class that a row's name means, a block's or one of Ultralytics'; None if it means none, or is dotted."""
    block = find(name)
    cls = block.cls if block else getattr(tasks, name, None)
    return cls if isinstance(cls, type) and issubclass(cls, nn.Module) else None


def known_module(name: str) -> bool:
    """Whether Ultralytics' parser finds a module of this name, ours included once they are registered."""
    if name.startswith("nn."):
        return hasattr(nn, name[3:])
    if name.startswith("torchvision.ops."):
        import torchvision  # type: ignore[import-untyped]

        return hasattr(torchvision.ops, name[16:])
    return class_named(name) is not None


def module_names() -> list[str]:
    """The names that a row may use, `nn.` and `torchvision.ops.` aside, sorted."""
    return sorted(n for n, c in vars(tasks).items() if isinstance(c, type) and issubclass(c, nn.Module))


def is_head(name: str) -> bool:
    """Whether a row of this name ends a model (Detect and its kin, Classify, the RT-DETR decoder, …)."""
    cls = class_named(name)
    ends = tuple(
        getattr(tasks, n)
        for n in ("Detect", "v10Detect", "Classify", "RTDETRDecoder", "SemanticSegment", "Depth")
        if hasattr(tasks, n)
    )
    return cls is not None and issubclass(cls, ends)


def is_layer(name: str) -> bool:
    """Whether a name means a layer: building one runs its constructor and nothing that a YAML could have written.

    The parser takes any name of its own file, whole models among them, which read YAMLs and evaluate what these say,
    and functions, which it calls.
    """
    if name.startswith("nn."):
        cls = getattr(nn, name[3:], None)
        home = getattr(cls, "__module__", "").rpartition(".")
        return isinstance(cls, type) and home[0] == "torch.nn.modules" and home[2] in _KINDS
    if name.startswith("torchvision.ops."):
        import torchvision

        cls = getattr(torchvision.ops, name[16:], None)
        return isinstance(cls, type) and issubclass(cls, nn.Module)
    cls = class_named(name)
    return cls is not None and not issubclass(cls, (tasks.BaseModel, tasks.Ensemble))
