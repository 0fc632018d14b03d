"""Find the home of every pretrained tensor in a model whose rows have moved.

Names of tensors begin with the number of their row, so an inserted row shifts every later name, and some shifted names
still match in shape and land in the wrong row. Here rows are paired first, tensors second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ..row_errors import rows


@dataclass(frozen=True)
class Layer:
    """What is known of one row when rows are paired.

    Attributes:
        text: the row without its `from`, equal for rows that say the same.
        module: the name of its module.
        shapes: the shape of every tensor, by its name within the row.
        owners: for every tensor, the classes from the row's module down to the one that holds it.
    """

    text: str
    module: str = ""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    owners: Mapping[str, tuple[type, ...]] = field(default_factory=dict)


def layers_of(model: Iterable[nn.Module], config: Mapping[str, Any], stock: Mapping[str, str]) -> list[Layer]:
    """Describe the rows of a built model.

    Args:
        model: its modules, one per row.
        config: its YAML as a dictionary.
        stock: as `row_texts` takes it.
    """
    found = []
    for module, row, text in zip(model, rows(config), row_texts(config, stock)):
        modules = dict(module.named_modules())
        shapes, owners = {}, {}
        for name, tensor in module.state_dict().items():
            path = name.split(".")[:-1]
            shapes[name] = tuple(tensor.shape)
            owners[name] = tuple(type(modules[".".join(path[:depth])]) for depth in range(len(path) + 1))
        found.append(Layer(text, row[2], shapes, owners))
    return found


def homes(old: Layer, new: Layer) -> list[str]:
    """The tensors of `old` that mean the same in `new`, by name, whatever their shape.

    A name counts when every module on the way to it is of the same class on both sides, or of a subclass: `cv2` of a
    bottleneck that is a convolution there and an attention block here is another thing under the same name.
    """
    return [
        name
        for name, path in old.owners.items()
        if name in new.owners and len(path) == len(new.owners[name]) and all(map(_kin, path, new.owners[name]))
    ]


def _kin(a: type, b: type) -> bool:
    return issubclass(a, b) or issubclass(b, a)


def align(old: Sequence[Layer], new: Sequence[Layer]) -> list[int | None]:
    """Pair old rows with new ones, in order: the monotone alignment of the largest weight.

    A pair of rows with the same text outweighs all tensors, for at another scale the shapes of one row can equal those
    of its neighbour; among alignments with as many such pairs, the number of tensors equal in name and shape decides.
    Where a row is there twice and both fit as well, the first one is taken.

    Returns:
        For every new row the number of its old row, None for a row that is new.
    """
    tensors = 1 + sum(len(layer.shapes) for layer in new)
    weight = [
        [tensors * (o.text == n.text) + sum(o.shapes[name] == n.shapes[name] for name in homes(o, n)) for n in new]
        for o in old
    ]
    # best[i][j]: the largest weight that old rows i... and new rows j... can reach.
    best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            best[i][j] = max(weight[i][j] + best[i + 1][j + 1], best[i + 1][j], best[i][j + 1])
    pairs: list[int | None] = [None] * len(new)
    i = j = 0
    while i < len(old) and j < len(new):
        if weight[i][j] and best[i][j] == weight[i][j] + best[i + 1][j + 1]:
            pairs[j] = i
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def row_texts(model: Mapping[str, Any], stock: Mapping[str, str]) -> list[str]:
    """The rows of a model dictionary as texts to compare, without `from`.

    Args:
        model: the model dictionary.
        stock: the stock name that each of our composites counts as; it stands for the composite, whose own arguments
            (a mapping at the end) are left out.
    """
    texts = []
    for _, repeats, name, args in rows(model):
        if name in stock:
            name, args = stock[name], [a for a in args if not isinstance(a, dict)]
        texts.append(f"{repeats} {name} {args}")
    return texts
