"""Whether a graph is being recorded: then every operation is out of place, of rank 4 at most, and of the plainest kind."""

from __future__ import annotations

import torch


def recording() -> bool:
    """True while `torch.jit.trace`, an exporter or `torch.compile` records the graph, on every route alike."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()
