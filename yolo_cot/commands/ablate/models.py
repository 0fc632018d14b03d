"""The models and the data set of an ablation, found and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from ultralytics.utils import ROOT

from ...paths import data_dir
from ...plugin.naming import task_of
from ...yaml_edit.files import find_model
from .controls import Model, controls, model_of
from .controls.model import parameters


def models_of(names: Sequence[str], data: str, controlled: bool) -> list[Model]:
    """The models by path or name, the base first, and their controls behind them.

    Every one is built once, so that a fault is found before the first run.

    Raises:
        ValueError: fewer than two, two of one name, a checkpoint, or no detector.
        FileNotFoundError: no such model or data set.
    """
    if len(names) < 2:
        got = ", ".join(names) or "none"
        raise ValueError(
            "yolo-cot ablate compares models: models= takes two or more with commas between them, the base first; "
            f"got {got}."
        )
    classes = classes_of(data)
    models = [_model(name) for name in names]
    labels = [model.label for model in models]
    folded = [label.lower() for label in labels]  # some file systems know no difference
    if twice := next((label for label in labels if folded.count(label.lower()) > 1), None):
        raise ValueError(f"two models are called {twice}; every model needs a file name of its own. Rename one file.")
    for model in models:
        task = task_of({**model.values, "scale": ""})
        if task != "detect":
            raise ValueError(f"yolo-cot ablate compares detectors; {model.label} is a model for the task '{task}'.")
        parameters(model, classes)
    made = controls(models, classes) if controlled else []
    for control in made:
        if control.label.lower() in map(str.lower, labels):
            raise ValueError(
                f"{control.label} is the name of a control that yolo-cot ablate makes, and a model of that name was "
                "given that is another. Rename its file, or leave the controls out with controls=False."
            )
    return [*models, *made]


def _model(name: str) -> Model:
    if Path(name).suffix == ".pt":
        raise ValueError(
            f"models= takes YAMLs, so that all models start alike; got {name}. Give weights as pretrained={name}."
        )
    path, _ = find_model(name)
    return model_of(Path(name).name.removesuffix(".yaml").removesuffix(".yml"), path.read_text(encoding="utf-8"))


def classes_of(data: str) -> int | None:
    """Number of classes that a data YAML names; None for a data set that Ultralytics finds by itself.

    Raises:
        FileNotFoundError: there is no such YAML.
        ValueError: it names no classes.
    """
    for file in (Path(data), data_dir() / data, ROOT / "cfg" / "datasets" / data):
        if file.is_file() and file.suffix in (".yaml", ".yml"):
            values = yaml.safe_load(file.read_text(encoding="utf-8"))
            if not isinstance(values, dict) or not (values.get("names") or values.get("nc")):
                raise ValueError(f"{file} is no data YAML: it needs 'names', the classes.")
            return len(values["names"]) if values.get("names") else int(values["nc"])
    if Path(data).suffix in (".yaml", ".yml") and "://" not in data:
        raise FileNotFoundError(
            f"no data YAML {data}: neither a file here nor a name that Ultralytics or yolo-cot ships."
        )
    return None
