"""Say in a few lines what of a model is new after loading, and what was dropped and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .transfer import Layer, homes


def report(moved: Collection[str], old: Sequence[Layer], new: Sequence[Layer], pairs: Sequence[int | None]) -> list[str]:
    """Lines for what is new and what was dropped, one per reason; one line if everything moved.

    Args:
        moved: the tensors of the new model that got pretrained values, as "model.<row>.<name>".
        old: the rows of the pretrained model.
        new: the rows of the new model, after loading.
        pairs: for every new row the number of its old row, None for a row that is new.
    """
    fresh: dict[tuple[str, str], dict[int, int]] = {}
    dropped: dict[tuple[str, str], dict[int, int]] = {}
    for j, (layer, i) in enumerate(zip(new, pairs)):
        missing = [name for name in layer.shapes if f"model.{j}.{name}" not in moved]
        kept = set() if i is None else set(homes(old[i], layer))
        for name in missing:
            if i is None:
                why = "rows without a pretrained counterpart"
            elif name in kept:
                why = f"{name} has another shape, {_shape(old[i], name)} pretrained, {_shape(layer, name)} here"
            else:
                why = "parts that the pretrained row has not"
            _count(fresh, layer, why, j)
        if i is not None:
            for name in old[i].shapes:
                if f"model.{j}.{name}" not in moved or name not in kept:
                    other = name in kept
                    why = "another shape here" if other else f"{new[j].module} has no such part"
                    _count(dropped, old[i], why, i)
    for i, layer in enumerate(old):
        if i not in pairs:
            for _ in layer.shapes:
                _count(dropped, layer, "no row here corresponds", i)
    return [*_lines("New", fresh), *_lines("Dropped", dropped)]


def _shape(layer: Layer, name: str) -> str:
    return "x".join(map(str, layer.shapes[name])) or "a number"


def _count(groups: dict[tuple[str, str], dict[int, int]], layer: Layer, why: str, row: int) -> None:
    rows = groups.setdefault((layer.module, why), {})
    rows[row] = rows.get(row, 0) + 1


def _lines(title: str, groups: dict[tuple[str, str], dict[int, int]]) -> list[str]:
    if not groups:
        return [f"{title}: nothing"]
    lines = []
    for (module, why), rows in groups.items():
        numbers = ", ".join(map(str, rows))
        lines.append(f"{title}: {sum(rows.values())} tensors of {module}, row{'s' * (len(rows) > 1)} {numbers}: {why}")
    return lines
