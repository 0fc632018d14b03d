"""Loading pretrained weights."""

from __future__ import annotations

from collections.abc import Callable

from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import LOGGER

from ..catalog import stock_names
from ..transfer.align import layers_of
from ..transfer.matched import match_rows
from ..transfer.report import report
from ..undo import Undo, replace


def load_weights() -> Undo:
    """Pair old rows with new ones for models with our blocks, then let Ultralytics' own loading run.

    Models that name no block of ours load through Ultralytics' function, called with what came in.
    """

    def make(load: Callable) -> Callable:
        def load_matched(self, weights, verbose=True):
            matched = match_rows(weights, self)
            if matched is None:
                return load(self, weights, verbose)
            load(self, matched, verbose)
            if verbose:
                new = layers_of(self.model, self.yaml, stock_names())
                LOGGER.info("\n".join(report(matched.moved(self), matched.old, new, matched.pairs)))
            return None

        return load_matched

    return replace(BaseModel, "load", make)
