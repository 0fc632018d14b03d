"""Say in a few lines what of a model is new after loading, and what was dropped and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .align import Layer, homes


@dataclass
class _Group:
    """Tensors of one module with one reason: how many, in which rows, and one of them as an example."""

    example: str
    count: int = 0
    rows: dict[int, None] = field(default_factory=dict)


_Groups = dict[tuple[str, str], _Group]


def report(
    moved: Collection[str],
    old: Sequence[Layer],
    new: Sequence[Layer],
    pairs: Sequence[int | None],
    untrained: Collection[str] = (),
) -> list[str]:
    """Lines for what is new and what was dropped, one for each module and reason.

    Args:
        moved: the tensors of the new model that got pretrained values, as "model.<row>.<name>".
        old: the rows of the pretrained model.
        new: the rows of the new model, after loading.
        pairs: for every new row the number of its old row, None for a row that is new.
        untrained: those of `moved` that were new in the pretrained model itself.
    """
    fresh: _Groups = {}
    dropped: _Groups = {}
    for j, i in enumerate(pairs):
        layer = new[j]
        if i is None:
            for _ in layer.shapes:
                _add(fresh, layer, "the pretrained model has no such row", j)
            continue
        shared = set(homes(old[i], layer))
        for name in layer.shapes:
            if f"model.{j}.{name}" in untrained:
                _add(fresh, layer, "new in the model that was loaded, too", j, name)
            if f"model.{j}.{name}" in moved:
                continue
            if name in shared:
                example = f"{name}: {_shape(old[i], name)} pretrained, {_shape(layer, name)} here"
                _add(fresh, layer, "of another shape", j, example)
            else:
                _add(fresh, layer, f"the pretrained {old[i].module} has no such part", j, name)
        for name in old[i].shapes:
            if name not in shared:
                _add(dropped, old[i], f"{layer.module} has no such part", i, name)
            elif f"model.{j}.{name}" not in moved:
                _add(dropped, old[i], "of another shape", i, name)
    for i, layer in enumerate(old):
        if i not in pairs:
            for _ in layer.shapes:
                _add(dropped, layer, "this model has no such row", i)
    return [*_lines("New", fresh), *_lines("Dropped", dropped)]


def _shape(layer: Layer, name: str) -> str:
    return "x".join(map(str, layer.shapes[name])) or "a number"


def _add(groups: _Groups, layer: Layer, why: str, row: int, example: str = "") -> None:
    group = groups.setdefault((layer.module, why), _Group(example))
    group.count += 1
    group.rows[row] = None


def _lines(title: str, groups: _Groups) -> list[str]:
    lines = []
    for (module, why), group in groups.items():
        rows = f"row{'s' * (len(group.rows) > 1)} {', '.join(map(str, group.rows))}"
        example = f" ({'such as ' * (group.count > 1)}{group.example})" if group.example else ""
        lines.append(f"{title}: {group.count} tensors of {module}, {rows}: {why}{example}")
    return lines or [f"{title}: nothing"]
