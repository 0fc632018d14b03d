"""Write the bundle of a checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from ultralytics import __version__ as ultralytics_version
from ultralytics.nn import tasks

from ...version import __version__
from .dry_run import class_branch_of
from .layout import ABOUT, CLASSES, MODEL, MODEL_KEYS, SUFFIX, WEIGHTS
from .read import read


def write(checkpoint: str | Path, folder: str | Path | None = None) -> Path:
    """Write the bundle of a checkpoint; returns its folder.

    The bundle is written beside its place, opened again and compared with the checkpoint; only then it takes its name.
    A bundle that was there before stays until then.

    Args:
        checkpoint: a `.pt` file of Ultralytics. It is a pickle, so opening it runs what it says.
        folder: the folder to write, whose name ends in `.bundle`; beside the checkpoint if None.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: the name does not end in `.bundle` or is that of something else, or a bundle cannot hold the model
            so that this Ultralytics rebuilds exactly it.
    """
    file = Path(checkpoint)
    if not file.is_file():
        raise FileNotFoundError(f"A bundle is made from a checkpoint; {file} is not a file.")
    target = Path(folder) if folder else file.with_suffix(SUFFIX)
    if target.suffix != SUFFIX:
        raise ValueError(f"A bundle's name ends in {SUFFIX}, by which it is recognised; got {target}.")
    if target.exists() and not (target.is_dir() and {p.name for p in target.iterdir()} <= {WEIGHTS, MODEL, ABOUT}):
        raise ValueError(f"{target} is there and is no bundle; it is kept. Give another name.")
    stored, _ = tasks.torch_safe_load(str(file))
    model = (stored.get("ema") or stored["model"]).eval()
    args = dict(stored.get("train_args") or {})
    task = args.get("task") or getattr(model, "task", None) or tasks.guess_model_task(model)
    if type(model).__name__ not in CLASSES.get(task, ()):
        raise ValueError(f"A bundle holds a model for {', '.join(CLASSES)}; {file} is a {type(model).__name__}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.stem}-", dir=target.parent) as place:
        part = Path(place) / target.name
        part.mkdir()
        _fill(part, model, task, args)
        _check(part, file, model, stored.get("version", "of unknown version"))
        before = Path(place) / "before"
        if target.exists():
            target.rename(before)
        try:
            part.rename(target)
        except OSError:
            if before.exists():  # it would go with this place
                before.rename(target)
            raise
    return target


def _fill(folder: Path, model: Any, task: str, args: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    # Tensors may share memory with others; safetensors stores each on its own.
    state = {name: tensor.detach().clone().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    about = {
        "task": task,
        "names": dict(enumerate(model.names)) if isinstance(model.names, list) else dict(model.names),
        "channels": int(model.yaml.get("channels") or model.yaml.get("ch") or 3),
        "class_branch": class_branch_of(model.model[-1]),
        "train_args": {key: value for key, value in args.items() if _plain(value)},
        "versions": {"yolo_cot": __version__, "ultralytics": ultralytics_version, "torch": str(torch.__version__)},
    }
    config = {key: value for key, value in model.yaml.items() if key in MODEL_KEYS or key == "blocks"}
    if config.get("yaml_file"):
        config["yaml_file"] = Path(str(config["yaml_file"])).name
    for name, content in ((MODEL, config), (ABOUT, about)):
        text = yaml.dump(_simple(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        (folder / name).write_text(text, encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """Writes a list that is there twice out twice, for a bundle's YAML has no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _check(folder: Path, file: Path, model: Any, version: str) -> None:
    """Open the bundle again and compare it with the checkpoint, tensors and output."""
    try:
        again = read(folder)
    except (ValueError, FileNotFoundError) as error:
        # The reader names the place where the bundle was being written, which is of no use to the caller.
        reason = str(error).replace(f"{folder}/", "")
        raise ValueError(
            f"{file}, written with Ultralytics {version}, is not a model that a bundle holds so that Ultralytics "
            f"{ultralytics_version} rebuilds exactly it: {reason}"
        ) from error
    size = 224 if again.task == "classify" else 64
    channels = again.yaml.get("channels") or 3
    image = torch.linspace(0, 1, channels * size * size).reshape(1, channels, size, size)
    with torch.no_grad():
        outputs = [_tensors(network.float()(image)) for network in (again, model)]
    if len(outputs[0]) != len(outputs[1]) or not all(map(torch.equal, *outputs)):
        raise ValueError(
            f"{file}, written with Ultralytics {version}, gives another output than the model that Ultralytics "
            f"{ultralytics_version} builds from its YAML. Make the bundle with the release that it comes from."
        )


def _tensors(output: Any) -> list[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        return [output]
    values = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else []
    return [tensor for value in values for tensor in _tensors(value)]


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _simple(value: Any) -> Any:
    """The same content in dictionaries, lists and plain values, so that a safe YAML can hold it."""
    if isinstance(value, dict):
        return {key if _plain(key) else str(key): _simple(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_simple(item) for item in value]
    return value if _plain(value) else str(value)
