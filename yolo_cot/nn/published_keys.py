"""Loading state dicts that carry the authors' own key names."""

from __future__ import annotations

from typing import ClassVar

from torch import nn


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
