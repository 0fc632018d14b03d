"""Which blocks of a model have a gate, and how far their gates are open."""

from __future__ import annotations

from torch import nn

from ...nn.gate import GatedBlock


def gates(model: nn.Module) -> dict[str, GatedBlock]:
    """The blocks that have a gate, by row (and place within it) and class: `16.CoTAttention`."""
    return {
        f"{name.removeprefix('model.')}.{module.title}": module
        for name, module in model.named_modules()
        if isinstance(module, GatedBlock) and module.gamma is not None
    }


def gate_means(model: nn.Module) -> dict[str, float]:
    """Mean |gamma| and mean gamma over the channels of every gate, as `<block>/abs` and `<block>/mean`."""
    found = {}
    for name, block in gates(model).items():
        assert block.gamma is not None
        gamma = block.gamma.detach().float()
        found[f"{name}/abs"], found[f"{name}/mean"] = gamma.abs().mean().item(), gamma.mean().item()
    return found
