"""How an ablation was made: settings, weights, machine, checks and history, for its report."""

from __future__ import annotations

import statistics
from typing import Any

from .options import DEFAULTS
from .report.document import Code
from .results import Results


def provenance(results: Results) -> list[Any]:
    """Settings, weights, machine, checks and history."""
    plan = results.plan
    points = [f"{key}: {value}" for key, value in plan.settings.items()]
    optimizer = next((r.get("optimizer") for runs in results.runs.values() for r in runs.values()), None)
    if optimizer and not plan.settings.get("optimizer"):
        points.append(f"optimizer: {optimizer}, chosen by Ultralytics for all models alike")
    parts: list[Any] = [points]
    if any(results.runs.values()) and not results.order_differs() and not results.seeds_alike():
        parts.append(
            "Checked: with one seed all models saw the same pictures and labels in the same order, augmented alike, "
            "and with another seed others. Data set and weights were the same for every run, by their digests."
        )
    if results.transferred:
        taken = [f"{label} {took} of {of}" for label, (took, of) in results.transferred.items()]
        parts.append(f"Tensors taken from the pretrained weights: {', '.join(taken)}.")
        if any(entry.kind == "widened" and entry.label not in results.handicapped for entry in plan.models):
            parts.append(
                "A widened model holds the pretrained one in some of its channels. What those read from the new ones "
                "starts at 0, so it starts as the same function, as a model with gates of 0 does; "
                "only the layer that names the classes, where their number is another, starts at random in every model."
            )
    setups = results.setups()
    parts.append(setups)
    if len(setups) > 1:
        parts.append("Devices or versions differ between runs; part of the spread may come from that.")
    seconds = [r["seconds"] for runs in results.runs.values() for r in runs.values()]
    if seconds:
        parts.append(f"{len(seconds)} runs, {statistics.fmean(seconds) / 60:.1f} minutes each on average.")
    changes = [what for _, what in plan.history if what.startswith("seeds")]
    if len(changes) > 1:
        parts.append(
            f"Seeds were added on the way ({'; '.join(changes)}). If that was decided after looking at the results, "
            "the stated chance of a false claim is too low: it holds for a number of seeds that is fixed beforehand."
        )
    given = ",".join(f"{e.label}.yaml" for e in plan.models if e.kind == "given")
    words = " ".join(f"{k}={v}" for k, v in plan.settings.items() if DEFAULTS.get(k, "") != v)
    split = f" split={plan.split}" if plan.split != "val" else ""
    parts += ["To repeat it:", Code(f"yolo-cot ablate models={given} seeds={plan.seeds} {words}{split}")]
    return parts
