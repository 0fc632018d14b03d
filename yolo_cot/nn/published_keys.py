"""What a network needs to run on published weights: the authors' key names, and images normalised as theirs were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class AuthorsKeys(nn.Module):
    """Mix-in: state-dict keys named as in the published code are renamed to this module's while they load.

    `authors_keys` maps published prefixes to ours. A linear layer's weight (out, in) is taken for a 1x1 convolution.
    """

    authors_keys: ClassVar[dict[str, str]] = {}

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        for old, new in self.authors_keys.items():
            for key in [k for k in state_dict if k.startswith(prefix + old)]:
                state_dict[prefix + new + key[len(prefix + old) :]] = state_dict.pop(key)
        for name, own in self.named_parameters():
            value = state_dict.get(prefix + name)
            if value is not None and own.dim() == 4 and value.dim() == 2 and own.shape[2:] == (1, 1):
                state_dict[prefix + name] = value[:, :, None, None]
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class NormalisingStem(AuthorsKeys):
    """Base of the stems: normalises the image, whose values go from 0 to 1, as (x - image_mean) / image_std.

    Mean and deviation are buffers, so that checkpoints, exports, bundles and transfers of weights all carry them. They
    are 0 and 1, which changes nothing, until `set_normalisation` is called.

    Args:
        c1: channels of the image.
    """

    buffers_of_image: ClassVar[tuple[str, str]] = ("image_mean", "image_std")
    image_mean: Tensor
    image_std: Tensor

    def __init__(self, c1: int):
        super().__init__()
        for name, value in zip(self.buffers_of_image, (0.0, 1.0)):
            self.register_buffer(name, torch.full((c1, 1, 1), value))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Stems of version 0.1 have no such buffers."""
        super().__setstate__(state)
        for name, value in zip(self.buffers_of_image, (0.0, 1.0)):
            if name not in self._buffers:
                self.register_buffer(name, next(self.parameters()).new_full((1, 1, 1), value))

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        for name in self.buffers_of_image:  # state dicts of version 0.1, and the authors', have no such entries
            state_dict.setdefault(prefix + name, getattr(self, name))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def set_normalisation(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Normalise images by this mean and deviation of each channel from now on."""
        for own, values in ((self.image_mean, mean), (self.image_std, std)):
            own.copy_(torch.tensor(values).view(-1, 1, 1))

    def normalised(self, x: Tensor) -> Tensor:
        """The image, normalised."""
        return (x - self.image_mean) / self.image_std
