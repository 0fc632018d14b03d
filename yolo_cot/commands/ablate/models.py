"""The models of an ablation, found and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ...plugin.catalog.files import own_files
from ...plugin.gates.budget import reachable, shut
from ...plugin.naming import task_of
from ...yaml_edit.files import find_model, trust
from .controls import controls
from .controls.equal_latency import equal_latency
from .controls.model import Model, built, model_of
from .plan import Plan
from .tasks import METRICS


def given(names: Sequence[str]) -> tuple[list[Model], str]:
    """The models by path or name, the base first, and their task.

    Raises:
        ValueError: fewer than two, two of one name, a checkpoint, or several tasks.
        FileNotFoundError: no such model.
    """
    if len(names) < 2:
        got = ", ".join(names) or "none"
        raise ValueError(
            "yolo-cot ablate compares models: models= takes two or more with commas between them, the base first; "
            f"got {got}."
        )
    models = [_model(name) for name in names]
    labels = [model.label.lower() for model in models]  # some file systems know no difference
    if twice := next((model.label for model in models if labels.count(model.label.lower()) > 1), None):
        raise ValueError(f"two models are called {twice}; every model needs a file name of its own. Rename one file.")
    tasks = {model.label: task_of(model.values) for model in models}
    task = next(iter(tasks.values()))
    if len(set(tasks.values())) > 1 or task not in METRICS:
        told = ", ".join(f"{label}: {task}" for label, task in tasks.items())
        raise ValueError(f"yolo-cot ablate compares models of one task, of {', '.join(METRICS)}; got {told}.")
    return models, task


def _model(name: str) -> Model:
    if Path(name).suffix in (".pt", ".bundle"):
        raise ValueError(
            f"models= takes YAMLs, so that all models start alike; got {name}. Give weights as pretrained={name}."
        )
    path, _ = find_model(name)
    trust(name)  # it is to be trained
    text = path.read_text(encoding="utf-8")
    blocks = b"".join(file.read_bytes() for file in own_files(yaml.safe_load(text)))
    return model_of(Path(name).name.removesuffix(".yaml").removesuffix(".yml"), text, blocks=blocks)


def check_gates(models: Sequence[Model], settings: Mapping[str, Any], pictures: int, classes: int) -> None:
    """Refuse trainings that say nothing about the blocks: too short for gates that start shut.

    Every model is built here once, so that a fault in a YAML is found before the first run.

    Raises:
        ValueError: some model has such gates.
    """
    closed = [model.label for model in models if shut(built(model, classes))]
    budget = reachable(settings, pictures, classes)
    if closed and not budget.enough:
        raise ValueError(
            f"{', '.join(closed)} would say nothing about the blocks: their gates start shut. {budget.told()} "
            "With any_budget=True they are trained all the same."
        )


def with_controls(models: list[Model], classes: int, size: int, same_time: bool, before: Plan | None) -> list[Model]:
    """The models, and behind them their controls.

    Args:
        models: the models, the base first.
        classes: classes of the data set.
        size: side of a picture.
        same_time: whether to add the base at each model's latency, too.
        before: the plan to go on with; a latency that was measured for it is not measured again.

    Returns:
        All of them; the base's entry names the models to whose latency it comes nearest itself.

    Raises:
        ValueError: a model has the name of a control, and is another.
    """

    base, *others = models
    nearest: list[tuple[str, float]] = []  # the models to whose time the base itself comes nearest

    def slower(model: Model) -> Model | None:
        found = _known(before, model.label) if before else None
        found = found or equal_latency(base, model, classes, size)
        if found.label == base.label:
            nearest.extend(found.entry.same_time)
            return None
        return found

    made = controls(models, classes, slower if same_time else None)
    names = [model.label.lower() for model in models]
    for control in made:
        if control.label.lower() in names:
            raise ValueError(
                f"{control.label} is the name of a control that yolo-cot ablate makes, and a model of that name was "
                "given that is another. Rename its file, or leave the controls out with controls=False."
            )
    return [replace(base, entry=replace(base.entry, same_time=tuple(nearest))), *others, *made]


def _known(plan: Plan, label: str) -> Model | None:
    """The model that a plan has as the control of a model's time, as that alone; None if it has none."""
    for entry in plan.models:
        if times := tuple(time for time in entry.same_time if time[0] == label):
            text = plan.model_file(entry.label).read_text(encoding="utf-8")
            return Model(replace(entry, of=(), same_time=times), text)
    return None
