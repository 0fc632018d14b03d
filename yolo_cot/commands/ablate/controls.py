"""The controls of an ablation: a plain convolution in the place of every block, and the base widened to the same size.

A model with blocks has more layers and more parameters than its base. Both alone can bring a gain, so a model has to
beat not only its base but also these two.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import get_num_params

from ...plugin.catalog import BLOCKS
from ...plugin.naming import scale_letter
from ...plugin.rows import positional
from .inputs import sha256
from .plan import Entry

CONTROL = "GatedConv"
# A width may be tried that is this many times the one asked for.
WIDEST = 3.0


@dataclass(frozen=True)
class Model:
    """A model of the ablation with the text of its YAML."""

    entry: Entry
    text: str

    @property
    def values(self) -> dict[str, Any]:
        """What the YAML says."""
        return yaml.safe_load(self.text)

    @property
    def label(self) -> str:
        """Its label."""
        return self.entry.label


def model_of(label: str, text: str, kind: str = "given", of: tuple[str, ...] = (), note: str = "") -> Model:
    """A model from the text of its YAML."""
    return Model(Entry(label, kind, of, sha256(text.encode()), note), text)


def controls(models: list[Model], classes: int | None) -> list[Model]:
    """The controls of every model that has blocks of ours and is not the first, each once.

    Args:
        models: the models, the base first.
        classes: classes of the data set; None takes each YAML's own number.

    Returns:
        The controls; one that several models share names them all. A control that is one of the models already (plain
        YOLO11 is the control of one whose C3k2 were swapped) is left out.
    """
    base = models[0]
    found: list[Model] = []
    for model in models[1:]:
        if not blocks_in(model.values):
            continue
        for control in (convolution(model), widened(base, model, classes)):
            if control is None or any(same(control, other) for other in models):
                continue
            shared = next((i for i, other in enumerate(found) if same(control, other)), None)
            if shared is None:
                found.append(control)
            else:
                old = found[shared].entry
                found[shared] = model_of(old.label, found[shared].text, old.kind, (*old.of, model.label), old.note)
    return found


def same(a: Model, b: Model) -> bool:
    """Whether two YAMLs say the same, comments aside, at the scales that their names ask for."""
    return a.values == b.values and scale_letter(a.label) == scale_letter(b.label)


def blocks_in(values: dict[str, Any]) -> list[str]:
    """The blocks of ours that attend, by name, in the order of the rows; the control's convolution is none."""
    return [row[2] for row in rows(values) if row[2] in BLOCKS and row[2] != CONTROL]


def rows(values: dict[str, Any]) -> Iterator[list[Any]]:
    """The rows of a model, backbone first."""
    for part in ("backbone", "head"):
        yield from values[part]


def convolution(model: Model) -> Model | None:
    """The model with a gated plain convolution for every block, and the stock module for every composite.

    Returns:
        None for a model with blocks that neither can stand in for, for they change the shape of their input.
    """
    values = model.values
    for row in rows(values):
        block = BLOCKS.get(row[2])
        if block is None or row[2] == CONTROL:
            continue
        if block.network_part:
            return None
        if block.counts_as is not None:
            stock = block.counts_as.__name__
            row[2], row[3] = stock, [value for value in row[3] if not isinstance(value, dict)]
            continue
        names = [p.name for p in block.parameters]
        given = dict(zip(names, positional(model.label, block, copy.deepcopy(row[3]))))
        gate = given.get("gate")
        row[2], row[3] = CONTROL, [] if gate is None else [{"gate": gate}]
    what = f"{model.label} with a plain convolution for every block"
    return model_of(f"{model.label}-as-conv", dump(values, what), "convolution", (model.label,), what)


def widened(base: Model, model: Model, classes: int | None) -> Model | None:
    """The base with its width multiple raised until it has about as many parameters as the model.

    Returns:
        None where the model is no larger than the base, or no width comes nearer to it than the base itself.
    """
    aim, start = parameters(model, classes), parameters(base, classes)
    if aim <= start:
        return None
    width, most = scale_of(base)
    # A channel count is rounded to eights, so half of that, at the widest row, leaves no step out.
    step = 4 / most
    best, size, steps = base, start, 0
    while size < aim and steps * step < (WIDEST - 1) * width:
        steps += 1
        wider = with_width(base, round(width + steps * step, 4))
        # Some widths do not build: their attention heads do not divide their channels.
        try:
            size = parameters(wider, classes)
        except RuntimeError:
            continue
        if abs(size - aim) < abs(parameters(best, classes) - aim):
            best = wider
    if best is base:
        return None
    what = f"{base.label} with its width multiple raised from {width:g} to {scale_of(best)[0]:g}"
    return model_of(best.label, dump(best.values, what), "widened", (model.label,), what)


def parameters(model: Model, classes: int | None) -> int:
    """Parameters of the model for so many classes."""
    values = {**model.values, "scale": scale_letter(model.label)}
    if classes is not None:
        values["nc"] = classes
    return int(get_num_params(DetectionModel(values, verbose=False)))


def scale_of(model: Model) -> tuple[float, float]:
    """Width multiple and largest channel count of the scale that the label asks for."""
    values = model.values
    if not values.get("scales"):
        channels = [row[3][0] for row in rows(values) if row[3] and isinstance(row[3][0], int)]
        return float(values.get("width_multiple", 1.0)), float(max(channels))
    _, width, most = values["scales"][scale_letter(model.label) or next(iter(values["scales"]))]
    return float(width), float(most)


def with_width(base: Model, width: float) -> Model:
    """The base at another width multiple."""
    values = base.values
    if values.get("scales"):
        values["scales"][scale_letter(base.label) or next(iter(values["scales"]))][1] = width
    else:
        values["width_multiple"] = width
    # No letter may follow the digits of the name: Ultralytics would take it for a scale.
    return model_of(f"{base.label}-width-{width:g}", dump(values, ""), "widened")


def dump(values: dict[str, Any], what: str) -> str:
    """A model YAML, one row a line, under a comment that says what it is."""
    lines = [f"# {what}. Written by yolo-cot ablate.", ""] if what else []
    for key, value in values.items():
        if key in ("backbone", "head"):
            lines += [f"{key}:", *(f"  - {flow(row)}" for row in value)]
        elif key == "scales":
            lines += ["scales: # [depth, width, max_channels]", *(f"  {k}: {flow(v)}" for k, v in value.items())]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=2**20)
    return text.removesuffix("\n").removesuffix("\n...")
