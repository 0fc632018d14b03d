"""The control for size: the base with its width multiple raised until it has as many parameters as the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ....plugin.row_errors import rows
from .model import Model, dump, model_of, parameters

# A width may be tried that is this many times the one asked for.
WIDEST = 3.0


def widened(base: Model, model: Model, classes: int | None) -> Model | None:
    """The base at the width that comes nearest to the model's number of parameters.

    Returns:
        None where the model is no larger than the base, or no width comes nearer to it than the base itself.
    """
    found = nearest(base, parameters(model, classes), lambda wider: parameters(wider, classes))
    if found is base:
        return None
    return replace(found, entry=replace(found.entry, of=(model.label,)))


def nearest(base: Model, aim: float, measure: Callable[[Model], float]) -> Model:
    """The base at the width whose measure comes nearest to an aim, found by halving; the base itself if none does.

    Args:
        base: the base.
        aim: what to come near.
        measure: a number that grows with the width.
    """
    width, most = scale_of(base)
    # A channel count is rounded to eights, so half of that, at the widest row, leaves no step out.
    step = 4 / most
    found: dict[int, tuple[float, Model]] = {0: (measure(base), base)}

    def size(steps: int) -> float:
        """The measure at a number of steps, or at the next that builds: attention heads must divide the channels."""
        while steps not in found:
            wider = with_width(base, round(width + steps * step, 4))
            try:
                found[steps] = measure(wider), wider
            except (RuntimeError, ValueError):
                steps += 1
        return found[steps][0]

    low, high = 0, int((WIDEST - 1) * width / step)
    if size(low) >= aim:
        return base
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < aim else (low, middle)
    size(high)
    return min(found.values(), key=lambda one: abs(one[0] - aim))[1]


def scale_of(model: Model) -> tuple[float, float]:
    """Width multiple and largest channel count of the scale that the label asks for."""
    values = model.values
    if not values.get("scales"):
        channels = [row[3][0] for row in rows(values) if row[3] and isinstance(row[3][0], int)]
        return float(values.get("width_multiple", 1.0)), float(max(channels))
    _, width, most = values["scales"][model.scale or next(iter(values["scales"]))]
    return float(width), float(most)


def with_width(base: Model, width: float) -> Model:
    """The base at another width multiple."""
    values = base.values
    if values.get("scales"):
        values["scales"][base.scale or next(iter(values["scales"]))][1] = width
    else:
        values["width_multiple"] = width
    # No letter may follow the digits of the name: Ultralytics would take it for a scale.
    what = f"{base.label} with its width multiple raised from {scale_of(base)[0]:g} to {width:g}"
    return model_of(f"{base.label}-width-{width:g}", dump(values, what), "widened", note=what)
