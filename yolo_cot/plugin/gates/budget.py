"""Whether a training can open a gate at all: its optimizer steps, and how far they can move a gate.

An optimizer of Adam's kind moves a parameter by its learning rate a step at most, nearly, whatever the gradient, so a
gate moves by no more than the sum of its rates. Under SGD the gradient counts too, and what it does is measured. Ten
epochs of a small data set are often a few dozen steps, for Ultralytics gathers `nbs` pictures a step: gates that start
shut are still shut at the end, and such a training says nothing about the block behind them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn
from ultralytics.utils import LOGGER

from ...nn.control import GatedConv
from ..hooks.gate_optimizer import KEY, NAME
from .blocks import gates

# SGD and MuSGD move gates about this much as far as AdamW does with rates of the same sum: from the sweep in
# docs/evidence, 0.05 of the sum under AdamW and 0.002 of it under SGD.
AS_ADAM = 0.04
# A gate must be able to move so far. In docs/evidence, gates that a network needs are at 0.15 to 0.29 after 0.37.
NEEDED = 0.5


@dataclass(frozen=True)
class Budget:
    """What a training can do to a gate.

    Attributes:
        optimizer: name of the optimizer's class.
        steps: optimizer steps.
        reach: the most that a gate can move, as far as that can be said beforehand; an estimate under SGD.
        batch: pictures a batch.
        nbs: pictures a step, as Ultralytics was told.
        epochs: epochs.
        multiple: `gate_lr`.
    """

    optimizer: str
    steps: int
    reach: float
    batch: int
    nbs: int
    epochs: int
    multiple: float

    @property
    def enough(self) -> bool:
        """Whether the gates can open."""
        return self.reach >= NEEDED

    def told(self) -> str:
        """Steps and reach in a sentence, and what to change if they are too little."""
        said = f"{self.steps} optimizer steps can move a gate by about {self.reach:.2g} ({self.optimizer})"
        if self.enough:
            return f"{said}."
        short = NEEDED / self.reach if self.reach else math.inf
        changes = [f"nbs={self.batch} (now {self.nbs})"] if self.nbs > self.batch else []
        if self.reach:
            changes.append(f"epochs={math.ceil(self.epochs * short)} (now {self.epochs})")
        times = math.ceil(self.multiple * short) if self.reach else 10
        changes.append(f"gate_lr={times} (now {self.multiple:g})")
        return (
            f"{said}, and {NEEDED:g} is needed to tell what the block behind it is worth. "
            f"Change {', '.join(changes[:-1])}{' or ' * bool(changes[:-1])}{changes[-1]}."
        )


def reachable(settings: Mapping[str, Any], images: int, classes: int) -> Budget:
    """The budget of a training that is not started yet.

    Args:
        settings: train arguments of Ultralytics; those left out are at their defaults.
        images: pictures to train on.
        classes: classes of the data set, from which `optimizer=auto` takes its learning rate.
    """
    from ultralytics.cfg import get_cfg
    from ultralytics.engine.trainer import BaseTrainer

    trainer: Any = BaseTrainer.__new__(BaseTrainer)
    trainer.args = get_cfg(overrides=dict(settings))
    trainer.data, trainer.epochs = {"nc": classes}, int(trainer.args.epochs)
    batch, nbs = int(trainer.args.batch), int(trainer.args.nbs)
    model: Any = nn.Module()
    model.model = nn.ModuleList([GatedConv(8, gate=0.0)])
    silent, LOGGER.disabled = LOGGER.disabled, True
    try:
        trainer.optimizer = trainer.build_optimizer(
            model,
            name=trainer.args.optimizer,
            lr=trainer.args.lr0,
            momentum=trainer.args.momentum,
            iterations=math.ceil(images / max(batch, nbs)) * trainer.epochs,
        )
    finally:
        LOGGER.disabled = silent
    trainer._setup_scheduler()
    return budget(trainer, math.ceil(images / batch))


def budget(trainer: Any, batches: int) -> Budget:
    """The budget of a trainer that has its optimizer and schedule.

    Args:
        trainer: Ultralytics' trainer.
        batches: batches an epoch.
    """
    args, group = trainer.args, trainer.optimizer.param_groups[-1]
    taken = steps(batches, trainer.epochs, args.batch, args.nbs, warm_up(args.warmup_epochs, trainer.epochs, batches))
    rates = sum(count * group["initial_lr"] * trainer.lf(epoch) for epoch, count in enumerate(taken))
    return Budget(
        optimizer=type(trainer.optimizer).__name__,
        steps=sum(taken),
        reach=rates * size(group),
        batch=args.batch,
        nbs=args.nbs,
        epochs=trainer.epochs,
        multiple=args.gate_lr,
    )


def size(group: Mapping[str, Any]) -> float:
    """How far a gate moves in a step, as a multiple of its rate, by the settings of its group."""
    if "betas" in group:  # Adam and its kin
        return 1.0
    if "alpha" in group:  # RMSprop, whose momentum adds up steps of full size
        return 1 / (1 - group["momentum"])
    return AS_ADAM


def steps(batches: int, epochs: int, batch: int, nbs: int, ramp: int) -> list[int]:
    """Optimizer steps of every epoch; during the ramp the batches of a step rise from one to their final number.

    Args:
        batches: batches an epoch.
        epochs: epochs.
        batch: pictures a batch.
        nbs: pictures a step.
        ramp: batches of the warm-up.
    """
    final = min(max(round(nbs / batch), 1), batches * epochs)
    found, last = [0] * epochs, -1
    for number in range(batches * epochs):
        gathered = max(1, round(1 + (final - 1) * number / ramp)) if number < ramp else final
        if number - last >= gathered:
            found[number // batches] += 1
            last = number
    return found


def warm_up(warmup_epochs: float, epochs: int, batches: int) -> int:
    """Batches of Ultralytics' warm-up; in releases before it had a method for that, 100 at least."""
    from ultralytics.engine.trainer import BaseTrainer

    if hasattr(BaseTrainer, "_get_warmup_iterations"):
        warmup_epochs = min(warmup_epochs, max(epochs - 1, 0))
        return round(warmup_epochs * batches) if warmup_epochs > 0 else 0
    return max(round(warmup_epochs * batches), 100) if warmup_epochs > 0 else -1


def warn(trainer: Any) -> None:
    """Say, before the first step, that a training cannot open its gates; nothing if it can, or has none.

    Args:
        trainer: Ultralytics' trainer, at the start of the training.
    """
    # With time= the number of epochs is not known yet; a gate that starts open need not move.
    if trainer.args.time or trainer.optimizer.param_groups[-1].get(KEY) != NAME or not shut(trainer.model):
        return
    found = budget(trainer, len(trainer.train_loader))
    if not found.enough:
        LOGGER.warning(f"gates: {found.told()}")


def shut(model: nn.Module) -> bool:
    """Whether some gate is at 0."""
    return any(block.gamma is not None and not block.gamma.any() for block in gates(model).values())
