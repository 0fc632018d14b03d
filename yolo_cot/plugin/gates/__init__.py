"""Gates over a training: where they are, how far they can open, and how they did."""

from .blocks import gate_means, gates

__all__ = ["gate_means", "gates"]
