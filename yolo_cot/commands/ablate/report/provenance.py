"""How an ablation was made: settings, weights, machine, checks, history, and the command that repeats it."""

from __future__ import annotations

import shlex
import statistics

from ..options import DEFAULTS
from ..results import Results
from .document import Code, Part, Points, Text


def provenance(results: Results) -> list[Part]:
    """Settings, checks, weights, machine, history and command."""
    plan = results.plan
    settings = [f"{key}: {value}" for key, value in plan.settings.items()]
    optimizers = sorted({result["optimizer"] for result in results.all})
    if optimizers and not plan.settings.get("optimizer"):
        settings.append(f"optimizer: {', '.join(optimizers)}, chosen by Ultralytics")
    said: list[Part] = [Points(settings), *map(Text, checks(results)), *map(Text, weights(results))]
    setups = results.setups()
    said.append(Points(setups))
    if len(setups) > 1:
        said.append(Text("Devices or versions differ between runs; part of the spread may come from that."))
    if seconds := [result["seconds"] for result in results.all]:
        said.append(Text(f"{len(seconds)} runs, {statistics.fmean(seconds) / 60:.1f} minutes each on average."))
    changes = [what for _, what in plan.history if what.startswith("seeds")]
    if len(changes) > 1:
        said.append(
            Text(
                f"Seeds were added on the way ({'; '.join(changes)}). If that was decided after looking at the "
                "results, the stated chance of a false claim is too low: it holds for a number of seeds that is fixed "
                "beforehand."
            )
        )
    return [*said, Text("To repeat it:"), Code(command(results))]


def checks(results: Results) -> list[str]:
    """What was found to be the same where it must be, and different where it must be."""
    if not results.all or results.order_differs() or results.seeds_alike():
        return []
    digests = ", ".join(f"{what} {digest[:12]}" for what, digest in results.plan.inputs.items())
    return [
        "Checked: with one seed all models saw the same pictures and labels in the same order, augmented alike, and "
        "with another seed others. Data set and weights were the same for every run, by their digests"
        + (f" ({digests})." if digests else ".")
    ]


def weights(results: Results) -> list[str]:
    """How much of the pretrained weights each model took."""
    if not results.transferred:
        return []
    taken = [f"{label} {took} of {of}" for label, (took, of) in results.transferred.items()]
    said = [f"Tensors taken from the pretrained weights: {', '.join(taken)}."]
    if any(entry.kind == "widened" and entry.label not in results.handicapped for entry in results.plan.models):
        said.append(
            "A widened model holds the pretrained one in some of its channels. What those read from the new ones "
            "starts at 0, so it starts as the same function, as a model with gates of 0 does; "
            "only the layer that names the classes, where their number is another, starts at random in every model."
        )
    return said


def command(results: Results) -> str:
    """The lines that make the same ablation again, with the same versions."""
    plan = results.plan
    versions = results.all[0]["versions"] if results.all else {}
    install = [f"{name}=={versions[name]}" for name in ("yolo-cot", "ultralytics", "torch") if name in versions]
    given = ",".join(f"{entry.label}.yaml" for entry in plan.models if entry.kind == "given")
    words: dict[str, object] = {"models": given, "data": plan.settings["data"], "seeds": plan.seeds}
    words |= {key: value for key, value in plan.settings.items() if DEFAULTS.get(key, "") != value}
    words |= ({} if plan.split == "val" else {"split": plan.split}) | plan.own
    lines = [f"pip install {' '.join(install)}"] if install else []
    return "\n".join([*lines, f"yolo-cot ablate {' '.join(f'{k}={shlex.quote(str(v))}' for k, v in words.items())}"])
