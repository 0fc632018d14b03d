"""Find where every tensor of one model lands in another: each gets a number of its own."""

from __future__ import annotations

from torch import nn


def marked(model: nn.Module) -> nn.Module:
    """Give every tensor a number of its own, so that it is known wherever it lands."""
    for number, tensor in enumerate(model.state_dict().values(), 1):
        tensor.fill_(number)
    return model


def landed(source: nn.Module, target: nn.Module) -> dict[str, str]:
    """{tensor of the target: tensor of the marked source that it holds}."""
    names = dict(enumerate(source.state_dict(), 1))
    found = {}
    for name, tensor in target.state_dict().items():
        value = float(tensor.flatten()[0])
        if value in names and bool((tensor == value).all()) and value >= 1:
            found[name] = names[int(value)]
    return found


def loaded(target: nn.Module, source: nn.Module) -> nn.Module:
    """Load, after giving the target values that no marked source has."""
    for tensor in target.state_dict().values():
        tensor.fill_(-1)
    target.load(source)
    return target


def rowwise(name: str) -> tuple[int, str]:
    _, row, rest = name.split(".", 2)
    return int(row), rest
