"""Whether a graph is being recorded: then every operation is out of place, of rank 4 at most, and plain."""

from __future__ import annotations

import torch


def recording() -> bool:
    """True while `torch.jit.trace`, an exporter or `torch.compile` records the graph, on every route alike."""
    return torch.compiler.is_compiling() or torch._C._is_tracing()


def compiling() -> bool:
    """True while `torch.compile` records for itself and no exporter does, so that operators of our own may be recorded.

    False before torch 2.7, which cannot tell the two apart.
    """
    exporting = getattr(torch.compiler, "is_exporting", None)
    return exporting is not None and torch.compiler.is_compiling() and not (exporting() or torch.jit.is_tracing())
