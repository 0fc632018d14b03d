"""How gates train: a parameter group of their own, and `gate_lr`, the train argument that sets its learning rate.

Ultralytics puts a gate among the weights: with weight decay, which pulls it back to 0, and with a learning rate that
rises from 0 in the warm-up. A gate that starts at 0 lets no gradient through to its block, so nothing behind it learns
until it has moved. Here gates have no weight decay, as timm and NFNets (arXiv 2102.06171) do it with gains, a learning
rate of their own and no ramp.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from torch.optim import Optimizer

from ..gates import gates
from ..undo import Undo, imported, replace

ARGUMENT, DEFAULT = "gate_lr", 10.0
# What marks the group, under the key that recent releases of Ultralytics mark theirs with.
KEY, NAME = "param_group", "gate"


def gate_lr_argument() -> Undo | None:
    """Make `gate_lr` an argument of Ultralytics, a number with a default, as if its `default.yaml` had it.

    So it is taken on the command line, in Python, by `tune` as part of `space=` and by the processes of multi-GPU
    training, is written to `args.yaml` and into checkpoints, and is there again when a run is resumed.
    """
    utils, cfg = imported("ultralytics.utils", "DEFAULT_CFG"), imported("ultralytics.cfg", "CFG_FLOAT_KEYS")
    if utils is None or cfg is None:
        return None
    utils.DEFAULT_CFG_DICT[ARGUMENT] = DEFAULT
    setattr(utils.DEFAULT_CFG, ARGUMENT, DEFAULT)
    cfg.CFG_FLOAT_KEYS = cfg.CFG_FLOAT_KEYS | {ARGUMENT}

    def undo() -> None:
        utils.DEFAULT_CFG_DICT.pop(ARGUMENT, None)
        vars(utils.DEFAULT_CFG).pop(ARGUMENT, None)
        cfg.CFG_FLOAT_KEYS = cfg.CFG_FLOAT_KEYS - {ARGUMENT}

    return undo


def gate_group() -> Undo | None:
    """Let every trainer of Ultralytics build its optimizer with a group for gates; a model without is left alone."""

    def make(build: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
        def build_with_gates(trainer: Any, model: Any, *args: Any, **kwargs: Any) -> Optimizer:
            parameters = {id(block.gamma) for block in gates(model).values()}
            times = multiple(trainer.args) if parameters else 0.0
            optimizer = build(trainer, model, *args, **kwargs)
            if parameters:
                separate(optimizer, parameters, times)
                optimizer.register_step_pre_hook(partial(without_ramp, weakref.ref(trainer)))
            return optimizer

        return build_with_gates

    owner = imported("ultralytics.engine.trainer", "BaseTrainer")
    return replace(owner.BaseTrainer, "build_optimizer", make) if owner else None


def multiple(args: Any) -> float:
    """The train argument `gate_lr`.

    Raises:
        ValueError: it is no number of 0 or more.
    """
    value = getattr(args, ARGUMENT, DEFAULT)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(
            f"gate_lr is how many times the learning rate gates learn with, a number of 0 or more; got {value}. "
            f"Leave it out for {DEFAULT:g}."
        )
    return float(value)


def separate(optimizer: Optimizer, parameters: set[int], times: float) -> None:
    """Move parameters out of their groups into a last one without weight decay.

    Args:
        optimizer: an optimizer as Ultralytics builds it.
        parameters: the ids of the parameters.
        times: the learning rate of the new group over that of the others. Ultralytics triples the rate of some layers
            of the head under MuSGD; what counts is the rate of all others.
    """
    groups = optimizer.param_groups
    places = [(g, i) for g, group in enumerate(groups) for i, p in enumerate(group["params"]) if id(p) in parameters]
    moved = [groups[g]["params"][i] for g, i in places]
    rate = min(group["lr"] for group in groups) * times
    own = {**groups[places[0][0]], "params": moved, "lr": rate, "weight_decay": 0.0, KEY: NAME}
    sizes = [len(group["params"]) for group in groups]
    for group in groups:
        group["params"] = [p for p in group["params"] if id(p) not in parameters]
    optimizer.add_param_group(own)
    optimizer.register_load_state_dict_pre_hook(partial(admit_ungrouped, places, sizes))


def without_ramp(trainer: weakref.ref[Any], optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    """Before a step: the gates' rate is what the schedule says for the epoch, also where the warm-up has lowered it.

    Ultralytics logs the rate of an epoch's last batch; in the warm-up that is a lower one if it belongs to no step.
    """
    owner = trainer()
    for group in optimizer.param_groups:
        if group.get(KEY) == NAME and "initial_lr" in group and owner is not None:
            group["lr"] = group["initial_lr"] * owner.lf(owner.epoch)


def admit_ungrouped(
    places: list[tuple[int, int]], sizes: list[int], optimizer: Optimizer, state: dict[str, Any]
) -> dict[str, Any] | None:
    """Before a state is loaded: one that was saved without a group for gates gets it; momenta stay with their gates.

    Args:
        places: for every gate, the group and the position in it that Ultralytics gave it.
        sizes: how many parameters each group had with the gates among them.
        optimizer: the optimizer that is to load the state.
        state: what `optimizer.state_dict()` gave.
    """
    groups = state["param_groups"]
    if [len(group["params"]) for group in groups] != sizes:
        return None
    kept = [
        {**group, "params": [p for i, p in enumerate(group["params"]) if (g, i) not in places]}
        for g, group in enumerate(groups)
    ]
    own = {**optimizer.param_groups[-1], "params": [groups[g]["params"][i] for g, i in places]}
    return {**state, "param_groups": [*kept, own]}
