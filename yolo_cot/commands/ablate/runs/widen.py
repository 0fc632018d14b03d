"""Give pretrained weights to a wider model, so that it starts as the very function that the weights compute.

The narrow model's channels become some channels of the wider one. What the old channels read from the new ones gets
weight 0, so at the start the new channels change nothing, as a gate of 0 does for an inserted block; everything else of
the new channels starts at random and learns.

Source: the idea of starting a larger network from a smaller one's function is Net2Net (Chen, Goodfellow, Shlens, arXiv
1511.05641). Differs from it: new channels are random and unread instead of copies of old ones.

Which channel of the wider model is which of the narrow one follows from the wiring, and the wiring is found by running
both: every convolution gives, instead of its values, a label for each channel, and concatenations, splits, shortcuts,
pooling and upsampling carry the labels to whoever reads them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from ultralytics import YOLO
from ultralytics.nn.modules import C2PSA, C2f, Conv
from ultralytics.nn.modules.block import DFL, Attention

from ....plugin.build import build
from ....plugin.naming import scale_letter
from ..results import NOT_WIDENED

SIDE = 64


def fitted(model: str, weights: str | Path, file: Path) -> str:
    """Write weights for a model that was made wider; returns their file, the given one where they cannot be fitted."""
    narrow = YOLO(weights).model.float()
    name = Path(model).stem
    wide = build(
        {**yaml.safe_load(Path(model).read_text(encoding="utf-8")), "nc": narrow.yaml["nc"]}, scale_letter(name)
    )
    try:
        widen(narrow, wide)
    except CannotWiden as error:
        print(f"{NOT_WIDENED}: {error}")
        return str(weights)
    torch.save({"model": wide, "train_args": {}}, file)
    return str(file)


class CannotWiden(ValueError):
    """The wider model does not hold the narrow one."""


@torch.no_grad()
def widen(narrow: nn.Module, wide: nn.Module) -> None:
    """Write the weights of `narrow` into `wide`, in place.

    Args:
        narrow: a model with weights.
        wide: the same rows with as many channels or more.

    Raises:
        CannotWiden: the rows differ, channels are fewer, or a layer is of a kind that is not known here.
    """
    layers, wider = dict(leaves(narrow)), dict(leaves(wide))
    if layers.keys() != wider.keys():
        raise CannotWiden("the wider model has other layers than the weights.")
    known = sum(p.numel() for layer in layers.values() for p in layer.parameters())
    if known != sum(p.numel() for name, p in narrow.named_parameters() if not name.endswith("dfl.conv.weight")):
        raise CannotWiden("the weights have layers that are no convolutions.")
    labels: dict[str, Tensor] = {}
    read: dict[str, Tensor] = {}
    places: dict[str, tuple[Tensor, Tensor]] = {}
    random = torch.Generator().manual_seed(0)

    def first(name: str, module: nn.Module, x: Tensor) -> Tensor:
        read[name] = x
        labels[name] = torch.rand(outputs(module), generator=random, dtype=torch.float64)
        return labels[name]

    def second(name: str, module: nn.Module, x: Tensor) -> Tensor:
        inputs = where(read[name], x)
        places[name] = (homes(name, layers[name], module, inputs, split), inputs)
        found = torch.rand(outputs(module), generator=random, dtype=torch.float64)
        found[places[name][0]] = labels[name]
        return found

    split = {f"{name}.cv1" for name, module in narrow.named_modules() if isinstance(module, (C2f, C2PSA))}
    walk(narrow, first)
    walk(wide, second)
    for name, (out, inputs) in places.items():
        if isinstance(layers[name], Attention):
            fill_attention(layers[name], wider[name], out, inputs)
        else:
            fill(layers[name], wider[name], out, inputs)


def leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers that have weights and give channels of their own: `Conv`, bare convolutions, and attention whole."""
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if inside and name.startswith(inside):
            continue
        if isinstance(module, (Conv, Attention, nn.Conv2d, DFL)):
            inside = (*inside, f"{name}.")
            if not isinstance(module, DFL):
                yield name, module


def outputs(module: Any) -> int:
    """Channels that a layer gives."""
    if isinstance(module, Attention):
        return outputs(module.proj)
    return (module.conv if isinstance(module, Conv) else module).out_channels


def walk(model: nn.Module, label: Callable[[str, nn.Module, Tensor], Tensor]) -> None:
    """Run a copy of the model on labels: `label` gets a layer's name, the layer and the labels of its input."""
    model = copy.deepcopy(model).double().eval()

    def hook(name: str) -> Callable[..., Tensor]:
        def give(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            found = label(name, module, inputs[0][0, :, 0, 0])
            return found.view(1, -1, 1, 1).expand_as(output).contiguous()

        return give

    for name, module in leaves(model):
        module.register_forward_hook(hook(name))
    model(torch.arange(3, dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE))


def where(labels: Tensor, among: Tensor) -> Tensor:
    """The position of every label among others; one that is there several times is found in the same order.

    Raises:
        CannotWiden: one is not there.
    """
    same = (labels[:, None] == among) & (times(labels)[:, None] == times(among))
    if not bool(same.any(1).all()):
        raise CannotWiden("a channel of the weights has no home in the wider model.")
    return same.int().argmax(1)


def times(labels: Tensor) -> Tensor:
    """How often each label was there before: pooling leaves labels as they are, and SPPF joins them to their source."""
    return (labels[:, None] == labels).tril(-1).sum(1)


def homes(name: str, old: Any, new: Any, inputs: Tensor, split: set[str]) -> Tensor:
    """The channels of the wider layer that are those of the old one."""
    if outputs(new) < outputs(old):
        raise CannotWiden(f"{name} has fewer channels in the wider model.")
    if isinstance(old, Conv) and old.conv.groups > 1:
        if not old.conv.groups == old.conv.in_channels == old.conv.out_channels:
            raise CannotWiden(f"{name} has groups.")
        return inputs
    count = torch.arange(outputs(old))
    if name in split:  # its output is cut into halves
        half = outputs(old) // 2
        return torch.cat((count[:half], outputs(new) // 2 + count[:half]))
    return count


def fill(old: Any, new: Any, out: Tensor, inputs: Tensor) -> None:
    """Write the weights of one convolution, and of its batch norm."""
    a, b = (old.conv, new.conv) if isinstance(old, Conv) else (old, new)
    if a.groups > 1:
        b.weight[out] = a.weight
    else:
        weight = torch.zeros_like(b.weight[: len(out)])
        weight[:, inputs] = a.weight
        b.weight[out] = weight
    if a.bias is not None:
        b.bias[out] = a.bias
    if isinstance(old, Conv):
        for key in ("weight", "bias", "running_mean", "running_var"):
            getattr(new.bn, key)[out] = getattr(old.bn, key)


def fill_attention(old: Attention, new: Attention, out: Tensor, inputs: Tensor) -> None:
    """Write the weights of multi-head attention; new channels of a query start at 0, so that they weigh nothing.

    Raises:
        CannotWiden: the number of heads differs.
    """
    if old.num_heads != new.num_heads:
        raise CannotWiden("the wider model has another number of attention heads.")
    heads = torch.arange(old.num_heads)[:, None]
    keys, values = torch.arange(old.key_dim), torch.arange(old.head_dim)
    start = heads * (2 * new.key_dim + new.head_dim)
    parts = (start + keys, start + new.key_dim + keys, start + 2 * new.key_dim + values)
    fill(old.qkv, new.qkv, torch.cat(parts, 1).flatten(), inputs)
    queries = (start + torch.arange(new.key_dim)).flatten()
    kept = parts[0].flatten()
    # The logits are divided by the root of the key's width, which has grown.
    factor = (old.scale / new.scale) if hasattr(old, "scale") else (new.key_dim / old.key_dim) ** 0.5
    for key in ("weight", "bias"):
        parameter: Any = getattr(new.qkv.bn, key)
        scaled = parameter[kept] * factor
        parameter[queries] = 0
        parameter[kept] = scaled
    mixed = (heads * new.head_dim + values).flatten()
    fill(old.pe, new.pe, mixed, mixed)
    fill(old.proj, new.proj, out, mixed)
