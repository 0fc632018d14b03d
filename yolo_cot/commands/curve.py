"""`yolo-cot curve`: accuracy against inference time over several checkpoints, from validation runs made for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

import torch
from ultralytics import YOLO

from .ablate.tasks import METRICS as ALL_METRICS
from .arguments import argument, at_least, comma_list
from .output import announce, console, new_table, write_csv
from .plain_text import plain_text
from .timing import device_name, interleaved

# The first metric of each task is the axis.
METRICS = {task: next(iter(metrics.values())) for task, metrics in ALL_METRICS.items()}


def read_models(text: str) -> tuple[tuple[Path, ...], ...]:
    """The checkpoints of each line of the plot, from `a.pt,b.pt;c.pt`.

    Raises:
        ValueError: none is named.
    """
    found = tuple(tuple(map(Path, files)) for group in text.split(";") if (files := comma_list(group)))
    if not found:
        raise ValueError(f"yolo-cot curve needs checkpoints; got models={text}. Example: {Arguments.__doc__}")
    return found


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot curve models=a.pt,b.pt data=coco8.yaml"""

    models: tuple[tuple[Path, ...], ...] = argument(
        "checkpoints, with commas between them; `a.pt,b.pt;c.pt` draws two lines", read=read_models
    )
    data: str | None = argument("the data set; each checkpoint's own by default", None)
    imgsz: int | None = argument("side of the images; each checkpoint's own by default", None, rule=at_least(32))
    batch: int = argument("images at once while the time is taken", 1, rule=at_least(1))
    rounds: int = argument("rounds of the timing", 30, rule=at_least(1))
    device: str = argument("where to run", "cpu")
    out: Path = argument("the folder to write", Path("runs/curve"))


@dataclass(frozen=True)
class Point:
    """One checkpoint: accuracy from 0 to 1, median milliseconds of a forward pass per image, parameters."""

    series: str
    model: str
    metric: str
    accuracy: float
    milliseconds: float
    parameters: int
    imgsz: int
    batch: int
    device: str


def main(arguments: Arguments) -> None:
    """Validate, time, print a table, write CSV and the plot.

    Raises:
        ValueError: checkpoints of several tasks, or two lines of one name.
        FileNotFoundError: there is no such checkpoint.
    """
    points = measure(named_series(arguments.models), arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    print_points(points)
    write_csv(arguments.out / "curve.csv", points)
    plot(points, arguments.out / "curve.png")
    print(f"written: {arguments.out / 'curve.csv'}, {arguments.out / 'curve.png'}")


def named_series(groups: tuple[tuple[Path, ...], ...]) -> dict[str, tuple[Path, ...]]:
    """The checkpoints by line of the plot, which is named after what the names have in common."""
    series: dict[str, tuple[Path, ...]] = {}
    for files in groups:
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"yolo-cot curve needs checkpoints; {file} is not a file.")
        names = [model_name(file) for file in files]
        alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names))
        shared = "".join(letters[0] for letters in alike)
        label = names[0] if len(names) == 1 else shared.rstrip("-_ 0123456789")
        label = label or f"series {len(series) + 1}"
        if label in series:
            raise ValueError(f"Two lines of the curve would be called '{label}'. Rename the checkpoints of one.")
        series[label] = files
    return series


def model_name(file: Path) -> str:
    """What tells a checkpoint apart: best.pt and last.pt stand two folders below the name of their run."""
    return file.parents[1].name if file.stem in {"best", "last"} and file.parent.name == "weights" else file.stem


def measure(series: dict[str, tuple[Path, ...]], arguments: Arguments) -> list[Point]:
    """Validate every checkpoint, then time all of them interleaved.

    Raises:
        ValueError: the checkpoints are of several tasks, or of one without a known metric.
    """
    device, batch = arguments.device, arguments.batch
    models = {file: YOLO(file) for files in series.values() for file in files}
    tasks = {file: model.task for file, model in models.items()}
    if len(set(tasks.values())) > 1 or not set(tasks.values()) <= set(METRICS):
        got = ", ".join(f"{file}: {task}" for file, task in tasks.items())
        raise ValueError(f"yolo-cot curve needs checkpoints of one task, of {', '.join(METRICS)}; got {got}.")
    key, metric = METRICS[next(iter(tasks.values()))]
    accuracy, sizes, runs = {}, {}, {}
    for file, model in announce(models.items(), "checkpoint", len(models)):
        sizes[file] = arguments.imgsz or int(model.overrides.get("imgsz") or 640)
        settings = {"data": arguments.data} if arguments.data else {}
        found = model.val(imgsz=sizes[file], device=device, plots=False, verbose=False, workers=0, **settings)
        accuracy[file] = float(found.results_dict[key])
        network = YOLO(file).model.to(device).float().eval().fuse(verbose=False)
        runs[str(file)] = partial(network, torch.rand(batch, 3, sizes[file], sizes[file], device=device))
    with torch.inference_mode():
        seconds = interleaved(runs, arguments.rounds, device, progress=True)
    return [
        Point(
            label,
            model_name(file),
            metric,
            accuracy[file],
            1e3 * seconds[str(file)] / batch,
            sum(p.numel() for p in models[file].model.parameters()),
            sizes[file],
            batch,
            device_name(device),
        )
        for label, files in series.items()
        for file in files
    ]


def print_points(points: list[Point]) -> None:
    """Print the table."""
    first = points[0]
    note = f"{first.device}, batch {first.batch}, forward pass only, medians of interleaved runs"
    header = ["series", "model", first.metric, "ms", "x first", "parameters", "imgsz"]
    table = new_table(f"{first.metric} against time per image ({note})", header, text=["series", "model"])
    for p in points:
        ratio = p.milliseconds / first.milliseconds
        cells = (f"{p.accuracy:.3f}", f"{p.milliseconds:.1f}", f"{ratio:.2f}", f"{p.parameters:,}", str(p.imgsz))
        table.add_row(p.series, p.model, *cells)
    console().print(table)


@plain_text
def plot(points: list[Point], file: Path) -> None:
    """Draw accuracy against time, one line a series, its points joined from fast to slow."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for label in dict.fromkeys(p.series for p in points):
        line = sorted((p for p in points if p.series == label), key=lambda p: p.milliseconds)
        axes.plot([p.milliseconds for p in line], [100 * p.accuracy for p in line], marker="o", label=label)
        for p in line:
            place = (p.milliseconds, 100 * p.accuracy)
            axes.annotate(p.model, place, textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8)
    axes.set_xlabel(f"milliseconds per image, batch {points[0].batch}, {points[0].device}")
    axes.set_ylabel(f"{points[0].metric} (%)")
    axes.margins(x=0.25, y=0.15)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=150)
