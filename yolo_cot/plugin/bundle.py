"""Bundles: a trained model as a folder of safetensors, its YAML and a description, and no pickle at all.

best.bundle/weights.safetensors   every tensor of the model, in the checkpoint's own number format
best.bundle/model.yaml            the model YAML with the scale and the number of classes of this model
best.bundle/about.yaml            task, class names, strides, training arguments, versions
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from ultralytics import __version__ as ultralytics_version
from ultralytics.nn import tasks
from ultralytics.utils import DEFAULT_CFG_DICT

from ..version import __version__
from .row_errors import rows

SUFFIX = ".bundle"
WEIGHTS, MODEL, ABOUT = "weights.safetensors", "model.yaml", "about.yaml"
_CLASSES = {
    "detect": "DetectionModel",
    "segment": "SegmentationModel",
    "pose": "PoseModel",
    "obb": "OBBModel",
    "classify": "ClassificationModel",
}


def write(checkpoint: str | Path, folder: str | Path | None = None) -> Path:
    """Write the bundle of a checkpoint; returns its folder.

    Args:
        checkpoint: a `.pt` file of Ultralytics.
        folder: the folder to write, whose name ends in `.bundle`; beside the checkpoint if None.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: the name does not end in `.bundle`, the task is not one that a bundle can hold, or this Ultralytics
            builds another model from the checkpoint's YAML.
    """
    from safetensors.torch import save_file

    file = Path(checkpoint)
    if not file.is_file():
        raise FileNotFoundError(f"A bundle is made from a checkpoint; {file} is not a file.")
    target = Path(folder) if folder else file.with_suffix(SUFFIX)
    if target.suffix != SUFFIX:
        raise ValueError(f"A bundle's name ends in {SUFFIX}, by which it is recognised; got {target}.")
    stored, _ = tasks.torch_safe_load(str(file))
    model = stored.get("ema") or stored["model"]
    args = dict(stored.get("train_args") or {})
    task = args.get("task") or getattr(model, "task", None) or tasks.guess_model_task(model)
    if task not in _CLASSES:
        raise ValueError(f"A bundle holds a model for {', '.join(_CLASSES)}; {file} is for {task}.")
    target.mkdir(parents=True, exist_ok=True)
    # Tensors may share memory with others; safetensors stores each on its own.
    save_file(
        {name: tensor.detach().clone().contiguous() for name, tensor in model.state_dict().items()}, target / WEIGHTS
    )
    about = {
        "task": task,
        "names": dict(enumerate(model.names)) if isinstance(model.names, list) else dict(model.names),
        "channels": int(model.yaml.get("channels") or model.yaml.get("ch") or 3),
        "train_args": {key: value for key, value in args.items() if _plain(value)},
        "versions": {"yolo_cot": __version__, "ultralytics": ultralytics_version, "torch": str(torch.__version__)},
    }
    for name, content in ((MODEL, model.yaml), (ABOUT, about)):
        text = yaml.safe_dump(_simple(content), sort_keys=False, allow_unicode=True)
        (target / name).write_text(text, encoding="utf-8")
    try:
        read(target)
    except ValueError as error:
        raise ValueError(
            f"{file}, written with Ultralytics {stored.get('version', 'of unknown version')}, is not the model that "
            f"Ultralytics {ultralytics_version} builds from the same YAML. Make the bundle with the release that the "
            f"checkpoint comes from. {str(error)[:200]}"
        ) from error
    return target


def read(folder: str | Path) -> nn.Module:
    """Build the model of a bundle, in float32 and evaluation mode, as Ultralytics' own loading leaves one.

    Args:
        folder: what `write` has written.

    Raises:
        FileNotFoundError: a file of the bundle is missing.
        ValueError: the bundle names something that is not a model, or its tensors do not fit its YAML.
    """
    from safetensors.torch import load_file

    source = Path(folder)
    if missing := [name for name in (WEIGHTS, MODEL, ABOUT) if not (source / name).is_file()]:
        raise FileNotFoundError(f"A bundle holds {WEIGHTS}, {MODEL} and {ABOUT}; {source} has no {missing[0]}.")
    config = yaml.safe_load((source / MODEL).read_text(encoding="utf-8"))
    about: Any = yaml.safe_load((source / ABOUT).read_text(encoding="utf-8"))
    _trust(source, config, about)
    model = getattr(tasks, _CLASSES[about["task"]])(config, ch=about["channels"], verbose=False)
    try:
        model.load_state_dict(
            {
                name: value.float() if value.is_floating_point() else value
                for name, value in load_file(source / WEIGHTS).items()
            }
        )
    except Exception as error:
        raise ValueError(f"The weights of {source} do not fit its {MODEL}: {error}") from error
    model.names, model.task, model.pt_path = about["names"], about["task"], str(source)
    model.args = {**DEFAULT_CFG_DICT, **about["train_args"]}
    return model.eval()


def _trust(source: Path, config: Any, about: Any) -> None:
    """Refuse a YAML whose rows or activation would run anything but a layer.

    Ultralytics looks module names up among all names of its module and evaluates the activation as Python.
    """
    if not isinstance(config, dict) or not isinstance(about, dict) or about.get("task") not in _CLASSES:
        raise ValueError(f"{source} is not a bundle: {ABOUT} needs a task of {', '.join(_CLASSES)}.")
    for index, row in enumerate(rows(config)):
        name = str(row[2]) if isinstance(row, list) and len(row) == 4 else ""
        module = getattr(nn, name[3:], None) if name.startswith("nn.") else vars(tasks).get(name)
        if not (isinstance(module, type) and issubclass(module, nn.Module)):
            raise ValueError(f"{source / MODEL} row {index} names '{name}', which is no layer; nothing was built.")
    activation = config.get("activation")
    if activation and not re.fullmatch(r"(torch\.)?nn\.\w+\([\w.=, +-]*\)", str(activation)):
        raise ValueError(f"{source / MODEL} has the activation '{activation}', which is no layer; nothing was built.")


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _simple(value: Any) -> Any:
    """The same content in dictionaries, lists and plain values, so that a safe YAML can hold it."""
    if isinstance(value, dict):
        return {key if _plain(key) else str(key): _simple(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_simple(item) for item in value]
    return value if _plain(value) else str(value)
