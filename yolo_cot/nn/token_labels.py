"""The loss for training VOLO with token labels: a class for the image, and one for every patch.

Source: LV-ViT, "All Tokens Matter: Token Labeling for Training Better Vision Transformers", arXiv 2104.10858, section
3.2, as VOLO (arXiv 2106.13112, section 4) uses it.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.utils.loss import v8ClassificationLoss

from . import checks


class TokenLabelLoss(nn.Module):
    """Ultralytics' classification loss, plus `weight` times the mean cross-entropy of the patches' logits.

    In training it takes what `VOLOHead` returns with `dense`: class logits (B, nc) and patch logits (B, N, nc). The
    batch may hold `token_cls`: for every patch its class, (B, N), or the classes' probabilities, (B, N, nc), patches in
    rows from the top left, N the product of the image's sides over 256. A batch without them trains the class head
    alone, and so does a head without `dense`.

    To train with it, give the model both, and the batches `token_cls`, in a trainer of your own:

        class TokenLabelTrainer(ClassificationTrainer):
            def get_model(self, *args, **kwargs):
                model = super().get_model(*args, **kwargs)
                model.model[-1].dense, model.criterion = True, TokenLabelLoss()
                return model

            def build_dataset(self, *args, **kwargs):
                ...  # a ClassificationDataset whose items hold "token_cls" beside "img" and "cls"

    Args:
        weight: of the patches' loss; 0.5 is VOLO's.
    """

    def __init__(self, weight: float = 0.5):
        super().__init__()
        self.weight = checks.number("TokenLabelLoss", "weight", weight)

    def forward(self, preds: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Any]:
        """Return the loss of a batch, and what Ultralytics logs of it."""
        dense = isinstance(preds, (list, tuple)) and preds[1].dim() == 3
        loss, items = v8ClassificationLoss()(preds[0] if dense else preds, batch)
        labels = batch.get("token_cls")
        if not dense or labels is None:
            return loss, items
        patches = preds[1]
        if labels.shape[:2] != patches.shape[:2]:
            raise ValueError(
                f"TokenLabelLoss needs a label for each of the {patches.shape[1]} patches of the {patches.shape[0]} "
                f"images; got token_cls of shape {tuple(labels.shape)}. Resize the label maps to the patches' grid."
            )
        labels = labels.to(patches.device).flatten(0, 1)
        labels = labels.to(patches.dtype) if labels.is_floating_point() else labels.long()
        loss = loss + self.weight * F.cross_entropy(patches.flatten(0, 1), labels)
        return loss, {"loss": loss.detach()} if isinstance(items, dict) else loss.detach()
