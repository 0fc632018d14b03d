"""The CoTNet authors' state dicts under the names that a model of ours has."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ..nn import CoTNetStage, CoTNetStem, PooledClassify


def cotnet_state(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Rename the tensors of a CoTNet, CoTNeXt or SE-CoTNetD as published, so that they fit `model`.

    Inside a stage the modules take the authors' names themselves while they load.

    Args:
        state: a state dict of the authors' code (`conv1.…`, `layer1.…`, `fc.…`).
        model: an Ultralytics model whose first rows are CoTNet's; a detector on its backbone has no place for `fc`.

    Returns:
        A state dict for `model.load_state_dict`: complete for a classifier, the backbone's for a detector.

    Raises:
        ValueError: the model is not a CoTNet, or a tensor has no place in it.
    """
    rows = list(model.model)  # type: ignore[arg-type]
    homes: dict[str, str] = {}
    stage = 0
    for index, row in enumerate(rows):
        if isinstance(row, CoTNetStem):
            homes |= {"conv1.": f"model.{index}.conv1.", "bn1.": f"model.{index}.bn1."}
        elif isinstance(row, CoTNetStage):
            stage += 1
            homes[f"layer{stage}."] = f"model.{index}.m."
        elif isinstance(row, PooledClassify):
            homes["fc."] = f"model.{index}.linear."
    if not stage:
        raise ValueError("cotnet_state needs a model with CoTNet's rows; got one without. Use cotnet50-cls.yaml.")
    renamed = {}
    for key, value in state.items():
        home = next((new + key[len(old) :] for old, new in homes.items() if key.startswith(old)), None)
        if home:
            renamed[home] = value
        elif not key.startswith("fc."):
            raise ValueError(
                f"The model has no place for the checkpoint's {key}. Use the YAML of the checkpoint's own network."
            )
    return renamed
