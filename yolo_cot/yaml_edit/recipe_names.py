"""The names of recipes: `yolo26n-cot-seg.yaml` is the idea `cot` in `yolo26-seg.yaml`, at scale n."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from ..paths import configs
from ..plugin.naming import scale_letter, task_of, unscaled
from ..plugin.stock import stock_files
from .recipes import IDEAS, Idea

# Base and scale of a name with a number, behind which the idea stands; all other names have it at their end.
_FAMILY = re.compile(r"(yolo(?:e-)?v?\d+)([a-z]?)(-.*)?")


@dataclass(frozen=True)
class Recipe:
    """An idea in a base.

    Attributes:
        idea: the idea.
        base: the base's file.
    """

    idea: Idea
    base: Path

    @property
    def name(self) -> str:
        """The file name without the letter of a scale: `yolo26-cot-seg.yaml`."""
        family = _FAMILY.fullmatch(self.base.stem)
        front, rest = (family[1] + family[2], family[3] or "") if family else (self.base.stem, "")
        return f"{front}-{self.idea.name}{rest}.yaml"

    def at_scale(self, letter: str) -> str:
        """The name with the letter of a scale, as Ultralytics is asked for it: `yolo26n-cot-seg.yaml`."""
        return _scaled(self.name, letter)

    @property
    def task(self) -> str:
        """The task of the base; an RT-DETR's is detection, though its last row does not say so."""
        return task_of(yaml.safe_load(self.base.read_text(encoding="utf-8")))

    @property
    def fits(self) -> bool:
        """Whether the base has the module that the idea replaces, where it replaces one."""
        return not self.idea.replaces or f", {self.idea.replaces}, " in self.base.read_text(encoding="utf-8")


def _scaled(name: str, letter: str) -> str:
    return re.sub(r"^(yolo(?:e-)?v?\d+)(?=[-.])", rf"\g<1>{letter}", name)


@cache
def _recipes() -> dict[str, Recipe]:
    every = (Recipe(idea, base) for base in stock_files() for idea in IDEAS.values())
    return {recipe.name: recipe for recipe in every}


def recipes() -> list[Recipe]:
    """Every idea in every base that the installed Ultralytics ships, sorted by base; those that do not fit left out."""
    return [recipe for recipe in _recipes().values() if recipe.fits]


def recipe_named(name: str) -> Recipe | None:
    """The recipe that a file name asks for, with or without the letter of a scale; None if it asks for none."""
    return _recipes().get(name) or _recipes().get(unscaled(Path(name)).name)


def nearest_name(name: str) -> str:
    """The model YAML whose name is nearest to a wrong one; "" if none is near, or if the nearest is no model of ours.

    Args:
        name: the wrong name, without a folder: `yolo11-cot`, `yolo11n_cot.yaml`, `yolo26n-cot-segment.yaml`.
    """
    stem = re.sub(r"[_\s]+", "-", re.sub(r"\.\w*$", "", name.strip()).lower())
    plain, letter = unscaled(Path(stem)).name, scale_letter(stem)
    ours = {Path(n).stem for n in _recipes()} | {path.stem for path in configs()}
    known = sorted(ours | {path.stem for path in stock_files()})
    # The right words in another order come first.
    words = sorted(plain.split("-"))
    close = [right for right in known if sorted(right.split("-")) == words]
    close = close or difflib.get_close_matches(plain, known, 5, cutoff=0.8)
    if not close:
        return ""
    right = max(close, key=lambda known_name: _likeness(plain, known_name))
    return _scaled(f"{right}.yaml", letter) if right in ours else ""


def _likeness(a: str, b: str) -> tuple[float, int]:
    """How much two names share; of those that share as much, how much from their beginning on."""
    matcher = difflib.SequenceMatcher(None, b, a)
    return matcher.ratio(), matcher.get_matching_blocks()[0].size
