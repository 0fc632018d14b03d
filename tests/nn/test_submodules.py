"""Whoever replaces, wraps, patches or hooks a sub-module of a block is obeyed, on every route and in fused form."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Conv
from ultralytics.utils.torch_utils import fuse_conv_and_bn

from tests.contract import build
from yolo_cot.nn import CoTAttention, CoTBlock, OutlookAttention
from yolo_cot.nn.gate import GatedBlock
from yolo_cot.plugin.catalog import BLOCKS, INSERTABLE

X = torch.linspace(-2, 3, 32 * 15).double().sin().view(1, 32, 5, 3)


def fused(block: nn.Module) -> nn.Module:
    """The block as `model.fuse()` leaves it."""
    for part in block.modules():
        if isinstance(part, Conv) and hasattr(part, "bn"):
            part.conv = fuse_conv_and_bn(part.conv, part.bn)
            del part.bn
            part.forward = part.forward_fuse
    for part in [*block.modules()]:
        if isinstance(part, GatedBlock):
            part.fuse()
    return block


def traced(block: nn.Module) -> Callable:
    return torch.jit.trace(block, (X,), check_trace=False)


def compiled(block: nn.Module) -> Callable:
    torch.compiler.reset()
    return torch.compile(block, backend="eager")


def bend(y: Tensor) -> Tensor:
    """Changed in a way that no norm and no softmax behind it undoes."""
    return y.square() + y.cos()


class Wrapped(nn.Module):
    """A module of the user's own around another one; changes what that gives."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, *inputs):
        return bend(self.inner(*inputs))


def wrap(block: nn.Module, name: str) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(block.get_submodule(parent), leaf, Wrapped(block.get_submodule(name)))


def patch(block: nn.Module, name: str) -> None:
    module = block.get_submodule(name)
    kept = module.forward
    module.forward = lambda *inputs: bend(kept(*inputs))


def hook(block: nn.Module, name: str) -> None:
    block.get_submodule(name).register_forward_hook(lambda module, inputs, y: bend(y))


def names(block: nn.Module) -> list[str]:
    """Every sub-module that is called; a container is not."""
    containers = (nn.ModuleList, nn.ParameterList)
    return [name for name, module in block.named_modules() if name and not isinstance(module, containers)]


def ignored(block: nn.Module, parts: list[str], change: Callable, route: Callable) -> Iterator[str]:
    """The sub-modules whose change does not show in what the block gives."""
    with torch.no_grad():
        plain = route(copy.deepcopy(block))(X)
        for name in parts:
            changed = copy.deepcopy(block)
            change(changed, name)
            if torch.allclose(route(changed)(X), plain, rtol=1e-9, atol=1e-9):
                yield name


CHANGES = {"wrapped": wrap, "patched": patch, "hooked": hook}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", INSERTABLE)
def test_every_part_is_obeyed_eagerly_and_after_fusing(name, change):
    block = build(name, 32).double().eval()
    assert len(names(block)) > 3
    assert not [*ignored(block, names(block), CHANGES[change], lambda block: block)]
    deployed = fused(copy.deepcopy(block))
    assert not [*ignored(deployed, names(deployed), CHANGES[change], lambda block: block)]


@pytest.mark.parametrize("name", [name for name in INSERTABLE if BLOCKS[name].counts_as is None])
@pytest.mark.parametrize("form", ["as trained", "fused"])
def test_every_part_is_obeyed_in_a_traced_graph(name, form):
    block = build(name, 32).double().eval()
    block = fused(block) if form == "fused" else block
    parts = names(block) if form == "fused" else [part for part, _ in block.named_children()]
    assert not [*ignored(block, [p for p in parts if p in names(block)], wrap, traced)]


@pytest.mark.parametrize("name", ["CoTAttention", "OutlookAttention", pytest.param("CoTBlock", marks=pytest.mark.slow)])
def test_every_part_is_obeyed_in_a_compiled_graph(name):
    block = build(name, 32).double().eval()
    assert not [*ignored(block, [part for part, _ in block.named_children()], wrap, compiled)]


# What `fuse` folds away. (Inside Ultralytics' own Conv, its `fuse` looks at the weights only.)
FOLDED = {
    CoTAttention: ["value_embed", "attention_embed", "attention_mean"],
    OutlookAttention: ["attn"],
    CoTBlock: ["values", "hidden", "hidden.conv", "hidden.norm", "norm"],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("cls", FOLDED)
def test_a_part_that_somebody_changed_is_not_folded_away(cls, change):
    block = cls(32).double().eval()
    assert fused(copy.deepcopy(block)).fused
    with torch.no_grad():
        for name in FOLDED[cls]:
            changed = copy.deepcopy(block)
            CHANGES[change](changed, name)
            wanted = copy.deepcopy(changed)(X)
            if change == "patched" and isinstance(changed.get_submodule(name), Conv):
                continue  # Ultralytics' `fuse` replaces the `forward` of its Conv
            assert torch.allclose(fused(changed)(X), wanted, rtol=1e-9, atol=1e-9), name


@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("name", INSERTABLE)
def test_what_a_wrapper_keeps_is_not_overwritten(name, fuse, grad):
    """Of the parts that are ours: Ultralytics' Conv has activations that work in place."""
    block = build(name, 32).double().eval()
    block = fused(block) if fuse else block
    kept: list[tuple[str, Tensor, Tensor]] = []

    def keep(part, module, inputs, y):
        kept.append((part, y, y.detach().clone()))

    for part, module in block.named_modules():
        if part and not isinstance(block.get_submodule(part.rpartition(".")[0]), Conv):
            module.register_forward_hook(lambda *a, part=part: keep(part, *a))
    with torch.set_grad_enabled(grad):
        block(X)
    assert kept
    assert not [part for part, y, before in kept if not torch.equal(y, before)]
