"""The plan of an ablation: which models, seeds and settings a folder holds, and which of its runs are finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...whole_file import read_json, write_json

FORMAT = 2
KINDS = ("given", "convolution", "widened")
# What a result must hold to count.
NEEDED = (
    "best",
    "last",
    "parameters",
    "gflops",
    "seconds",
    "data_order",
    "steps",
    "curve",
    "gates",
    "device",
    "versions",
)


@dataclass(frozen=True)
class Entry:
    """A model of the ablation.

    Attributes:
        label: its short name, the name of its file without the suffix.
        kind: "given", or the kind of control: "convolution" or "widened".
        of: labels of the models that it is the control of; if widened, of those that have its size.
        same_time: labels of the models that it is the control of in time, each with its own time in onnxruntime as a
            multiple of theirs; the base, too, may be.
        sha256: digest of its YAML.
        note: what a reader should know of it, such as how far its size is from the size aimed at.
    """

    label: str
    kind: str = "given"
    of: tuple[str, ...] = ()
    sha256: str = ""
    note: str = ""
    same_time: tuple[tuple[str, float], ...] = ()

    def roles(self, label: str) -> tuple[str, ...]:
        """What it is to a model: its kind, "equal_latency", both, or nothing."""
        role = (self.kind,) if label in self.of else ()
        return (*role, "equal_latency") if label in dict(self.same_time) else role

    def joined(self, other: Entry) -> Entry:
        """The same model, as the control of all that either is the control of."""
        times = {**dict(self.same_time), **dict(other.same_time)}
        return replace(self, of=tuple(dict.fromkeys((*self.of, *other.of))), same_time=tuple(times.items()))

    @property
    def told(self) -> str:
        """The note, with its times."""
        times = (f"takes {ratio:.2f} times as long as {label} in onnxruntime" for label, ratio in self.same_time)
        return ", ".join([self.note, *times])


@dataclass
class Plan:
    """What an ablation's folder holds; kept in its `plan.json`.

    Attributes:
        folder: the folder.
        settings: Ultralytics' train arguments, the same for every run.
        task: the task of all models, such as "detect".
        split: the split that is measured.
        seeds: how many; they are 0, 1, ...
        models: the models, the base first.
        data_sha256: digest of the data YAML, empty where Ultralytics finds it by name.
        own: arguments of the command that are no train arguments and not at their defaults, as last given.
        inputs: digests of pictures, labels, class names and weights, see `inputs_of`.
        history: every change, as [time, what].
    """

    folder: Path
    settings: dict[str, Any]
    task: str = "detect"
    split: str = "val"
    seeds: int = 0
    models: list[Entry] = field(default_factory=list)
    data_sha256: str = ""
    own: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Where the plan is kept."""
        return self.folder / "plan.json"

    def entry(self, label: str) -> Entry:
        """The entry of a model."""
        return next(entry for entry in self.models if entry.label == label)

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
        write_json(self.file, content)

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
        """Whether its result is there and whole."""
        return self.result() is not None

    def result(self) -> dict[str, Any] | None:
        """What it measured; None while it is not finished, and where `damage` has something to say."""
        return self._read()[0]

    def damage(self) -> str:
        """What is wrong with the file of its result, so that the run counts as not finished; empty if nothing."""
        return self._read()[1]

    def _read(self) -> tuple[dict[str, Any] | None, str]:
        file = self.folder / "result.json"
        if not file.is_file():
            return None, ""
        try:
            content = read_json(file)
        except ValueError as error:
            return None, str(error)
        if missing := [key for key in NEEDED if key not in content]:
            return None, f"{file} is damaged: it lacks {', '.join(missing)}."
        return content, ""

    def job(self, device: str) -> dict[str, Any]:
        """What the process that makes the run is told."""
        return {
            "label": self.label,
            "seed": self.seed,
            "model": str(self.plan.model_file(self.label)),
            "settings": {**self.plan.settings, "device": device},
            "split": self.plan.split,
            "task": self.plan.task,
            "inputs": self.plan.inputs,
            "widened": self.plan.entry(self.label).kind == "widened",
        }


def load(folder: Path) -> Plan:
    """Read the plan of a folder.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or another version of this package wrote it.
    """
    file = folder / "plan.json"
    if not file.is_file():
        raise FileNotFoundError(f"no ablation in {folder}: it has no plan.json. Start one with models= and data=.")
    content = read_json(file)
    if content.pop("format", None) != FORMAT or any(entry["kind"] not in KINDS for entry in content["models"]):
        raise ValueError(f"{file} was written by another version of yolo-cot. Use another project=.")
    content["models"] = [_entry(**entry) for entry in content["models"]]
    content["history"] = [(when, what) for when, what in content["history"]]
    return Plan(folder=folder, **content)


def _entry(of: list[str], same_time: Sequence[tuple[str, float]] = (), **values: str) -> Entry:
    """An entry as JSON gives it."""
    return Entry(**values, of=tuple(of), same_time=tuple((label, ratio) for label, ratio in same_time))
