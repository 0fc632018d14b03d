"""Whether somebody looks on: what hooks see must be made, and left as it is."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as registry

_KINDS = ("forward_pre_hooks", "forward_hooks", "backward_pre_hooks", "backward_hooks")


def watched(*modules: nn.Module) -> bool:
    """Whether a hook, a module's own or one for all modules, may see and keep what goes in, comes out or flows back."""
    for kind in _KINDS:
        if getattr(registry, f"_global_{kind}") or any(getattr(module, f"_{kind}") for module in modules):
            return True
    return False
