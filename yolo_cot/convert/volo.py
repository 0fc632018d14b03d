"""The VOLO authors' state dicts under the names that a model of ours has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from ..nn import Outlooker, VOLODownsample, VOLOHead, VOLOPosition, VOLOStem, VOLOTransformer
from ..nn.published_keys import NormalisingStem


def volo_state(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Rename and reshape the tensors of a VOLO network as published, so that they fit `model`.

    Args:
        state: a state dict of the authors' code (`patch_embed.…`, `network.…`, `post_network.…`, `head.…`).
        model: an Ultralytics model whose rows are VOLO's, in VOLO's order. A detector on VOLO's backbone takes the
            backbone's tensors; its other rows, and stages that it has beyond VOLO's, keep theirs.

    Returns:
        A state dict for `model.load_state_dict`: complete for a classifier, the backbone's for a detector.

    Raises:
        ValueError: the model is not a VOLO, or a tensor is missing, too many or of another shape.
    """
    prefixes = dict(_prefixes(list(model.model)))  # type: ignore[arg-type]
    if not prefixes:
        raise ValueError(
            "volo_state needs a model with VOLO's rows; got one without any. Use volo-d1-cls.yaml or its kin."
        )
    own = model.state_dict()
    homes = {name: key for name in own if (key := _authors_key(name, prefixes))}
    has_head = any(key.startswith("head.") for key in homes.values())
    if not has_head:
        stages = {_stage(key) for key in state}
        homes = {name: key for name, key in homes.items() if _stage(key) in stages}
    wanted = set(homes.values())
    if missing := sorted(wanted - set(state)):
        raise ValueError(
            f"The model needs {len(missing)} tensors that the checkpoint has not, {missing[0]} first. "
            f"Use the YAML of the checkpoint's own size."
        )
    extra = sorted(key for key in state if key not in wanted and (has_head or key.startswith(_BACKBONE)))
    if extra:
        raise ValueError(
            f"The checkpoint has {len(extra)} tensors that the model has no place for, {extra[0]} first. "
            f"Use the YAML of the checkpoint's own size."
        )
    return {name: _shaped(key, state[key], own[name]) for name, key in homes.items()}


_BACKBONE = ("patch_embed.", "network.", "pos_embed")


def _stage(key: str) -> str:
    """The part of the network that a tensor is of: `network.2`, `patch_embed`, …"""
    first, _, rest = key.partition(".")
    return f"{first}.{rest.split('.')[0]}" if first == "network" else first


def _prefixes(rows: list[nn.Module]) -> Iterator[tuple[str, str]]:
    """Our prefix -> the authors' prefix, for every row that is VOLO's, counted in the order of the authors' stages."""
    stage = 0
    for index, row in enumerate(rows):
        ours = f"model.{index}."
        first = row[0] if isinstance(row, nn.Sequential) else row
        if isinstance(first, (Outlooker, VOLOTransformer)):
            repeats = [f"{i}." for i in range(len(row))] if isinstance(row, nn.Sequential) else [""]
            yield from ((ours + repeat, f"network.{stage}.{repeat or '0.'}") for repeat in repeats)
            stage += 1
        elif isinstance(first, VOLODownsample):
            yield ours, f"network.{stage}."
            stage += 1
        elif isinstance(first, VOLOStem):
            yield ours, "patch_embed."
        elif isinstance(first, (VOLOPosition, VOLOHead)):
            yield ours, ""


def _authors_key(name: str, prefixes: Mapping[str, str]) -> str | None:
    """The authors' key of our tensor `name`; None for one that VOLO has not."""
    ours = max((prefix for prefix in prefixes if name.startswith(prefix)), key=len, default=None)
    if ours is None:
        return None
    key = name[len(ours) :]
    if key in NormalisingStem.buffers_of_image:
        return None
    for cls in (VOLOStem, VOLOHead):
        for theirs, renamed in cls.authors_keys.items():
            if key.startswith(renamed):
                return prefixes[ours] + theirs + key[len(renamed) :]
    return prefixes[ours] + key


def _shaped(key: str, value: Tensor, own: Tensor) -> Tensor:
    """The tensor in our shape: a linear layer as a 1x1 convolution, the position embedding with channels first."""
    if key == "pos_embed":
        if value.shape[1:3] != own.shape[2:]:
            raise ValueError(
                f"The checkpoint's position embedding is made for {value.shape[1]} x {value.shape[2]} patches, the "
                f"model's for {own.shape[2]} x {own.shape[3]}. Write {value.shape[1]} in the VOLOPosition row."
            )
        value = value.permute(0, 3, 1, 2)
    elif value.dim() == 2 and own.dim() == 4:
        value = value[:, :, None, None]
    if value.shape != own.shape:
        raise ValueError(
            f"The model needs {key} of shape {tuple(own.shape)}; the checkpoint has {tuple(value.shape)}. "
            f"Use the YAML of the checkpoint's own size, with its number of classes."
        )
    return value
