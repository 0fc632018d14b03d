"""Whether a class takes channel counts first, told by the names of its arguments."""

from __future__ import annotations

import inspect

from torch import nn

# What the field calls the channels of the input, and those of the output.
_INPUT = {"c1", "c", "ch", "channel", "channels", "dim", "in_channels", "in_channel", "in_ch", "in_chs", "in_dim"}
_INPUT |= {"in_planes", "inplanes", "in_plane", "inp", "in_features", "embed_dim", "n_feats", "num_channels", "planes"}
_OUTPUT = {"c2", "out_channels", "out_channel", "out_ch", "out_chs", "out_dim", "out_planes", "outp", "oup"}


def parameters(cls: type[nn.Module]) -> list[str]:
    """The names of a constructor's arguments that can be given by position."""
    every = inspect.signature(cls).parameters.values()
    return [p.name for p in every if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def channels_first(cls: type[nn.Module]) -> bool:
    """Whether the first argument is the number of the input's channels."""
    return parameters(cls)[:1] != [] and parameters(cls)[0].lower() in _INPUT


def gives_channels(cls: type[nn.Module]) -> bool:
    """Whether the second argument is the number of the output's channels."""
    return len(parameters(cls)) > 1 and parameters(cls)[1].lower() in _OUTPUT
