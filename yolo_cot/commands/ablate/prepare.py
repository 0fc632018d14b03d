"""Make the plan of a folder, or go on with the one that it holds if that is still the same experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...whole_file import write_text
from .inputs import changes, sha256
from .plan import Entry, Plan, load


def prepare(asked: Plan, models: Sequence[tuple[Entry, str]]) -> Plan:
    """Write a plan and the models' YAMLs into its folder.

    More seeds and more models may be added to a folder. Whatever decides the outcome of a run may not change: the
    settings, the data set, the weights, the split, the text of a model that is there, and the first model, with which
    the others are compared.

    Args:
        asked: what is asked for; its models come separately.
        models: every model with the text of its YAML, the base first.

    Returns:
        The plan of the folder, with what was added to it.

    Raises:
        ValueError: the folder holds an ablation with something else of these.
    """
    data = Path(str(asked.settings["data"]))
    asked.data_sha256 = sha256(data.read_bytes()) if data.is_file() else ""
    plan = begun(asked.folder) or replace(asked, seeds=0)
    if faults := differences(plan, asked, [entry for entry, _ in models]):
        raise ValueError(
            f"{asked.folder} holds runs made otherwise: {'; '.join(faults)}. "
            "Repeat those settings, or use another project=."
        )
    entries = {entry.label: entry for entry in plan.models}
    added = [entry.label for entry, _ in models if entry.label not in entries]
    for entry, text in models:
        old = entries.setdefault(entry.label, entry)
        entries[entry.label] = old.joined(entry)
        file = plan.model_file(entry.label)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
    before, now = (each.own.get("metric", "the task's own") for each in (plan, asked))
    if before != now:
        plan.note(f"metric: {now}, before: {before}")
    plan.models, plan.own = list(entries.values()), asked.own
    if added:
        plan.note(f"models: {', '.join(added)}")
    if asked.seeds > plan.seeds:
        plan.note(f"seeds: {asked.seeds}")
        plan.seeds = asked.seeds
    plan.save()
    return plan


def begun(folder: Path) -> Plan | None:
    """The plan that a folder holds; None where no run of it is finished: then there is nothing to go on with.

    Raises:
        ValueError: it is damaged, or another version of this package wrote it.
    """
    plan = load(folder) if (folder / "plan.json").is_file() else None
    return plan if plan and any(run.finished for run in plan.runs()) else None


def differences(plan: Plan, asked: Plan, entries: Sequence[Entry]) -> list[str]:
    """Why what is asked for cannot be compared with the runs of the plan."""
    faults = [
        f"{key} was {plan.settings.get(key)}, now {asked.settings.get(key)}"
        for key in sorted({*plan.settings, *asked.settings})
        if plan.settings.get(key) != asked.settings.get(key)
    ]
    faults += [
        f"{key} was {getattr(plan, key)}, now {getattr(asked, key)}"
        for key in ("task", "split")
        if getattr(plan, key) != getattr(asked, key)
    ]
    if plan.data_sha256 != asked.data_sha256:
        faults.append(f"the content of {plan.settings['data']} has changed")
    faults += changes(plan.inputs, asked.inputs)
    if plan.models and plan.models[0].label != entries[0].label:
        faults.append(f"the first model was {plan.models[0].label}, now {entries[0].label}")
    known = {entry.label: entry for entry in plan.models}
    for entry in entries:
        old = known.get(entry.label, entry)
        if old.sha256 != entry.sha256:
            faults.append(f"the text of {entry.label} has changed")
        elif old.kind != entry.kind:
            faults.append(f"{entry.label} was {old.kind}, now {entry.kind}")
    return faults
