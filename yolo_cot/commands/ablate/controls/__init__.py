"""The controls of an ablation.

A model with blocks has more layers and more parameters than its base. Both alone can bring a gain, so a model has to
beat not only its base but also a plain convolution in the place of every block, and the base widened to the same size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .convolution import blocks_in, convolution
from .model import Model
from .widened import widened


def controls(
    models: list[Model], classes: int | None, slower: Callable[[Model], Model | None] | None = None
) -> list[Model]:
    """The controls of every model that has blocks of ours and is not the first, each once.

    Args:
        models: the models, the base first.
        classes: classes of the data set; None takes each YAML's own number.
        slower: makes a further control, the base at a model's latency.

    Returns:
        The controls; one that several models share names them all. A control that is one of the models already (plain
        YOLO11 is the control of one whose C3k2 were swapped) is left out.
    """
    base = models[0]
    found: list[Model] = []
    for model in models[1:]:
        if not blocks_in(model.values, base.values):
            continue
        for control in (convolution(model, base), widened(base, model, classes), slower(model) if slower else None):
            if control is None or any(control.same(other) for other in models):
                continue
            shared = next((i for i, other in enumerate(found) if control.same(other)), None)
            if shared is None:
                found.append(control)
            else:
                found[shared] = replace(found[shared], entry=found[shared].entry.joined(control.entry))
    return found
