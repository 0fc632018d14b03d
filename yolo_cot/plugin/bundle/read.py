"""Open a bundle."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from ultralytics.nn.modules import Conv
from ultralytics.utils import DEFAULT_CFG_DICT

from ..build import model_class, quiet
from ..probe import class_state
from ..row_errors import rows, shown
from . import plain_yaml
from .about_yaml import check_about
from .dry_run import set_class_branch, shapes
from .layout import ABOUT, CLASSES, MODEL, WEIGHTS
from .model_yaml import activation_module, check_model


def read(folder: str | Path) -> Any:
    """Build the model of a bundle, in float32 and evaluation mode, as Ultralytics' own loading leaves one.

    Nothing that the bundle says is executed, and no path that it names is used.

    Args:
        folder: what `write` has written.

    Raises:
        FileNotFoundError: a file of the bundle is missing.
        ValueError: the bundle says anything else than a model of plain layers, or its tensors do not fit its YAML.
    """
    source = Path(folder)
    for name in (WEIGHTS, MODEL, ABOUT):
        if not (source / name).is_file():
            raise FileNotFoundError(f"A bundle holds {WEIGHTS}, {MODEL} and {ABOUT}; {source} has no {name}.")
        if (source / name).is_symlink():
            raise ValueError(f"{source / name} is a link to another place; a bundle holds its files itself.")
    config = check_model(source / MODEL, plain_yaml.load(source / MODEL))
    about = check_about(source / ABOUT, plain_yaml.load(source / ABOUT), config.get("nc") or 0)
    # Ultralytics would evaluate it; the module is put into its place here, and the text stays for later trainings.
    activation = config.pop("activation", None)
    config["yaml_file"] = str(source / MODEL)
    cls = model_class(config)
    if cls.__name__ not in CLASSES[about["task"]]:
        raise ValueError(f"{source / MODEL} describes a {cls.__name__}, which is not one for {about['task']}.")
    weights = _weights(source, shapes(source, config, about["channels"], about["class_branch"]))
    with quiet(), class_state(rows(config)[-1][2]):
        if activation:
            Conv.default_act = activation_module(activation)
        model: Any = cls(copy.deepcopy(config), ch=about["channels"], verbose=False)
        set_class_branch(model.model[-1], config, about["channels"], about["class_branch"])
    if activation:
        model.yaml["activation"] = activation
    model.load_state_dict(weights)
    model.names, model.task, model.pt_path = about["names"], about["task"], str(source)
    used = {key: about[key] for key in ("task", "imgsz") if key in about}
    model.args = {**{key: value for key, value in DEFAULT_CFG_DICT.items() if key != "data"}, **used}
    return model.eval()


def _weights(source: Path, expected: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors of a bundle, in float32, once their names and shapes are those of its model."""
    from safetensors import SafetensorError, safe_open

    file = source / WEIGHTS
    try:
        with safe_open(file, framework="pt") as stored:
            found = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
            if found != expected:
                raise ValueError(f"The weights of {source} do not fit its {MODEL}: {_difference(found, expected)}")
            tensors = {name: stored.get_tensor(name) for name in found}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} is no file of safetensors: {shown(error, 200)}") from error
    state: dict[str, Any] = {}
    for name, tensor in tensors.items():
        state[name] = tensor.float() if tensor.is_floating_point() else tensor
        if not torch.isfinite(state[name]).all():
            raise ValueError(f"{file} has values in {shown(name)} that are not finite numbers.")
    return state


def _difference(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> str:
    name = next(name for name in [*expected, *found] if found.get(name) != expected.get(name))
    said = [f"{of.get(name, 'nothing')} {where}" for of, where in ((found, "stored"), (expected, "in the model"))]
    return f"{shown(name)}: {', '.join(said)}."
