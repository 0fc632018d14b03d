"""Loading pretrained weights."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from torch import nn
from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import LOGGER

from ..catalog import stock_names
from ..transfer.align import layers_of
from ..transfer.matched import match_rows
from ..transfer.report import report
from ..undo import Undo, replace

# The tensors of a model that got no pretrained values, for the model that Ultralytics builds anew when it trains it.
_untrained: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()


def load_weights() -> Undo:
    """Pair old rows with new ones, then let Ultralytics' own loading run, and say what is new and what was dropped.

    Where the rows are the same, it is called with what came in.
    """

    def make(load: Callable) -> Callable:
        def load_matched(self, weights, verbose=True):
            matched = match_rows(weights, self)
            if matched is None:
                return load(self, weights, verbose)
            if matched.same_rows:
                matched.state_dict()  # keeps the shapes as they are now
                load(self, weights, verbose)
            else:
                load(self, matched, verbose)
            moved, before = matched.moved(self), _untrained.get(matched.source, set())
            untrained = {matched.names[name] for name in before if name in matched.names} & moved
            _untrained[self] = {name for name in self.state_dict() if name not in moved} | untrained
            if verbose:
                new = layers_of(self.model, self.yaml, stock_names())
                LOGGER.info("\n".join(report(moved, matched.old, new, matched.pairs, untrained)))
            return None

        return load_matched

    return replace(BaseModel, "load", make)
