"""A model of an ablation: its entry in the plan and the text of its YAML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from torch import nn
from ultralytics.utils.torch_utils import get_num_params

from ....plugin.build import build
from ....plugin.naming import scale_letter
from ..inputs import sha256
from ..plan import Entry


@dataclass(frozen=True)
class Model:
    """A model with the text of its YAML."""

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

    @property
    def scale(self) -> str:
        """The scale that its label asks for."""
        return scale_letter(self.label)

    def same(self, other: Model) -> bool:
        """Whether two YAMLs say the same, comments aside, at the scales that their names ask for."""
        return self.values == other.values and self.scale == other.scale


def model_of(
    label: str, text: str, kind: str = "given", of: tuple[str, ...] = (), note: str = "", blocks: bytes = b""
) -> Model:
    """A model from the text of its YAML, and what stands in the files of the user's blocks that it names."""
    return Model(Entry(label, kind, of, sha256(text.encode() + blocks), note), text)


def built(model: Model, classes: int | None) -> nn.Module:
    """The model with fresh weights, for so many classes; None takes the number in its YAML.

    Raises:
        ValueError, RuntimeError: it cannot be built.
    """
    return build(model.values if classes is None else {**model.values, "nc": classes}, model.scale, model.label)


@lru_cache
def parameters(model: Model, classes: int | None) -> int:
    """Parameters of the model for so many classes."""
    return int(get_num_params(built(model, classes)))


def dump(values: dict[str, Any], what: str) -> str:
    """A model YAML, one row a line, under a comment that says what it is."""
    lines = [f"# {what}. Written by yolo-cot ablate.", ""] if what else []
    for key, value in values.items():
        if key in ("backbone", "head"):
            lines += [f"{key}:", *(f"  - {_flow(row)}" for row in value)]
        elif key == "scales":
            lines += ["scales: # [depth, width, max_channels]", *(f"  {k}: {_flow(v)}" for k, v in value.items())]
        else:
            lines.append(f"{key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=2**20)
    return text.removesuffix("\n").removesuffix("\n...")
