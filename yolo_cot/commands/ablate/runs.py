"""The plan of an ablation: which models, seeds and settings a folder holds, and which of its runs are finished."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .train import write

FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """A model of the ablation.

    Attributes:
        label: its short name, the name of its file without the suffix.
        kind: "given", or the kind of control: "widened" or "convolution".
        of: labels of the models that it is the control of.
        sha256: digest of its YAML.
        note: what a reader should know of it, such as how far its size is from the size aimed at.
    """

    label: str
    kind: str = "given"
    of: tuple[str, ...] = ()
    sha256: str = ""
    note: str = ""


@dataclass
class Plan:
    """What an ablation's folder holds; kept in its `plan.json`.

    Attributes:
        folder: the folder.
        settings: Ultralytics' train arguments, the same for every run.
        split: the split that is measured.
        seeds: how many; they are 0, 1, ...
        models: the models, the base first.
        data_sha256: digest of the data YAML, empty where Ultralytics finds it by name.
        history: every change, as [time, what].
    """

    folder: Path
    settings: dict[str, Any]
    split: str = "val"
    seeds: int = 0
    models: list[Entry] = field(default_factory=list)
    data_sha256: str = ""
    history: list[tuple[str, str]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Where the plan is kept."""
        return self.folder / "plan.json"

    def model_file(self, label: str) -> Path:
        """The copy of a model's YAML that its runs are built from; its name carries the letter of the scale."""
        return self.folder / "models" / f"{label}.yaml"

    def runs(self) -> list[Run]:
        """Every run in the order in which they are made: all models with seed 0, then all with seed 1, ..."""
        return [Run(self, entry.label, seed) for seed in range(self.seeds) for entry in self.models]

    def save(self) -> None:
        """Write the plan."""
        content = {"format": FORMAT, **asdict(self)}
        content.pop("folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        write(self.file, content)

    def note(self, what: str) -> None:
        """Add a line to the history."""
        self.history.append((time.strftime("%Y-%m-%d %H:%M:%S"), what))


@dataclass(frozen=True)
class Run:
    """One model with one seed."""

    plan: Plan
    label: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.label}-seed{self.seed}"

    @property
    def folder(self) -> Path:
        """Its folder, which Ultralytics writes into."""
        return self.plan.folder / "runs" / self.name

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.plan.folder / "logs" / f"{self.name}.txt"

    @property
    def finished(self) -> bool:
        """Whether its result is there."""
        return (self.folder / "result.json").is_file()

    def result(self) -> dict[str, Any] | None:
        """What it measured; None while it is not finished."""
        file = self.folder / "result.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    def job(self, device: str) -> dict[str, Any]:
        """What the process that makes the run is told."""
        return {
            "label": self.label,
            "seed": self.seed,
            "model": str(self.plan.model_file(self.label)),
            "settings": {**self.plan.settings, "device": device},
            "split": self.plan.split,
            "widened": any(e.label == self.label and e.kind == "widened" for e in self.plan.models),
        }


def load(folder: Path) -> Plan:
    """Read the plan of a folder.

    Raises:
        FileNotFoundError: there is none.
        ValueError: another version of this package wrote it.
    """
    file = folder / "plan.json"
    if not file.is_file():
        raise FileNotFoundError(f"no ablation in {folder}: it has no plan.json. Start one with models= and data=.")
    content = json.loads(file.read_text(encoding="utf-8"))
    if content.pop("format", None) != FORMAT:
        raise ValueError(f"{file} was written by another version of yolo-cot. Use another project=.")
    content["models"] = [Entry(**{**entry, "of": tuple(entry["of"])}) for entry in content["models"]]
    content["history"] = [(when, what) for when, what in content["history"]]
    return Plan(folder=folder, **content)


def prepare(
    folder: Path, models: Sequence[tuple[Entry, str]], seeds: int, settings: Mapping[str, Any], split: str
) -> Plan:
    """Make the plan of a folder, or go on with the one that it holds.

    More seeds and more models may be added to a folder. Whatever decides the outcome of a run may not change: the
    settings, the data YAML, the split, the text of a model that is there, and the first model, with which the others
    are compared.

    Args:
        folder: the folder.
        models: every model with the text of its YAML, the base first.
        seeds: how many seeds.
        settings: Ultralytics' train arguments.
        split: the split to measure.

    Raises:
        ValueError: the folder holds an ablation with something else of these.
    """
    data = Path(str(settings["data"]))
    digest = sha256(data.read_bytes()) if data.is_file() else ""
    # A folder without a finished run holds nothing that other settings could spoil.
    new = not (folder / "plan.json").is_file() or not any((folder / "runs").glob("*/result.json"))
    plan = Plan(folder, dict(settings), split, data_sha256=digest) if new else load(folder)
    entries = {entry.label: entry for entry in plan.models}
    faults = []
    for key in sorted({*plan.settings, *settings}):
        if plan.settings.get(key) != settings.get(key):
            faults.append(f"{key} was {plan.settings.get(key)}, now {settings.get(key)}")
    if plan.split != split:
        faults.append(f"split was {plan.split}, now {split}")
    if plan.data_sha256 != digest:
        faults.append(f"the content of {data} has changed")
    if plan.models and plan.models[0].label != models[0][0].label:
        faults.append(f"the first model was {plan.models[0].label}, now {models[0][0].label}")
    for entry, _ in models:
        if entry.label in entries and entries[entry.label].sha256 != entry.sha256:
            faults.append(f"the text of {entry.label} has changed")
    if faults:
        raise ValueError(
            f"{folder} holds runs made otherwise: {'; '.join(faults)}. Repeat those settings, or use another project=."
        )
    added = [entry for entry, _ in models if entry.label not in entries]
    for entry, text in models:
        if entry.label not in entries:
            plan.model_file(entry.label).parent.mkdir(parents=True, exist_ok=True)
            plan.model_file(entry.label).write_text(text, encoding="utf-8")
    for entry, _ in models:
        if entry.label in entries:
            of = tuple(dict.fromkeys((*entries[entry.label].of, *entry.of)))
            entries[entry.label] = replace(entries[entry.label], of=of)
    plan.models = [*entries.values(), *added]
    if added:
        plan.note(f"models: {', '.join(entry.label for entry in added)}")
    if seeds > plan.seeds:
        plan.note(f"seeds: {seeds}")
        plan.seeds = seeds
    plan.save()
    return plan


def sha256(content: bytes) -> str:
    """Digest of a file's content."""
    return hashlib.sha256(content).hexdigest()
