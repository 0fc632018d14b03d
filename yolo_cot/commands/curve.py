"""`yolo-cot curve`: accuracy against inference time over several checkpoints, from validation runs made for it."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import takewhile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from .bench import machine_name
from .timing import interleaved

ARGUMENTS: dict[str, object] = {
    "models": "",
    "data": "",
    "imgsz": 0,
    "batch": 1,
    "rounds": 30,
    "device": "cpu",
    "out": "runs/curve",
}
# What Ultralytics' validators report -> the axis, for each task.
METRICS = {
    "classify": ("metrics/accuracy_top1", "top-1 accuracy"),
    "detect": ("metrics/mAP50-95(B)", "box mAP50-95"),
    "segment": ("metrics/mAP50-95(M)", "mask mAP50-95"),
    "pose": ("metrics/mAP50-95(P)", "pose mAP50-95"),
    "obb": ("metrics/mAP50-95(B)", "box mAP50-95"),
}


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


def main(overrides: dict[str, object]) -> None:
    """Validate, time, print a table, write CSV and the plot.

    Args:
        overrides: `models=a.pt,b.pt` (`a.pt,b.pt;c.pt` draws two lines), `data` (each checkpoint's own by default),
            `imgsz` (its own by default), `batch` and `rounds` of the timing, `device`, `out`.

    Raises:
        ValueError: an argument that does not exist, no checkpoint, or checkpoints of several tasks.
        FileNotFoundError: there is no such checkpoint.
    """
    unknown = set(overrides) - set(ARGUMENTS)
    if unknown:
        raise ValueError(f"yolo-cot curve takes {', '.join(ARGUMENTS)}; got {', '.join(sorted(unknown))}.")
    options = {**ARGUMENTS, **overrides}
    for name, least in (("imgsz", 0), ("batch", 1), ("rounds", 1)):
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"yolo-cot curve needs a whole number of {least} or more for {name}; got {value!r}.")
    points = measure(_series(options["models"]), options)
    out = Path(str(options["out"]))
    out.mkdir(parents=True, exist_ok=True)
    show(points)
    with (out / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)])
        writer.writeheader()
        writer.writerows(asdict(point) for point in points)
    plot(points, out / "curve.png")
    print(f"written: {out / 'curve.csv'}, {out / 'curve.png'}")


def _series(models: object) -> dict[str, list[Path]]:
    """The checkpoints by line of the plot, which is named after what the names have in common."""
    text = ",".join(map(str, models)) if isinstance(models, (list, tuple)) else str(models)
    series: dict[str, list[Path]] = {}
    for group in text.strip("()[] ").replace("'", "").split(";"):
        files = [Path(word.strip()) for word in group.split(",") if word.strip()]
        if not files:
            continue
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"yolo-cot curve needs checkpoints; {file} is not a file.")
        # best.pt and last.pt stand two folders below the name that tells them apart.
        names = [_name(file) for file in files]
        alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names))
        shared = "".join(letters[0] for letters in alike)
        label = (names[0] if len(names) == 1 else shared.rstrip("-_ 0123456789")) or f"series {len(series) + 1}"
        if label in series:
            raise ValueError(f"Two lines of the curve would be called '{label}'. Rename the checkpoints of one.")
        series[label] = files
    if not series:
        raise ValueError("yolo-cot curve needs checkpoints. Example: yolo-cot curve models=a.pt,b.pt data=coco8.yaml")
    return series


def _name(file: Path) -> str:
    return file.parents[1].name if file.stem in {"best", "last"} and file.parent.name == "weights" else file.stem


def measure(series: dict[str, list[Path]], options: dict[str, object]) -> list[Point]:
    """Validate every checkpoint, then time all of them interleaved.

    Raises:
        ValueError: the checkpoints are of several tasks, or of one without a known metric.
    """
    from ultralytics import YOLO

    device, batch = str(options["device"]), int(str(options["batch"]))
    models = {file: YOLO(file) for files in series.values() for file in files}
    tasks = {file: model.task for file, model in models.items()}
    if len(set(tasks.values())) > 1 or not set(tasks.values()) <= set(METRICS):
        told = ", ".join(f"{file}: {task}" for file, task in tasks.items())
        raise ValueError(f"yolo-cot curve needs checkpoints of one task, of {', '.join(METRICS)}; got {told}.")
    key, metric = METRICS[next(iter(tasks.values()))]
    accuracy, sizes, runs = {}, {}, {}
    for file, model in models.items():
        sizes[file] = int(str(options["imgsz"])) or int(model.overrides.get("imgsz") or 640)
        settings = {"data": options["data"]} if options["data"] else {}
        found = model.val(imgsz=sizes[file], device=device, plots=False, verbose=False, workers=0, **settings)
        accuracy[file] = float(found.results_dict[key])
        network = YOLO(file).model.to(device).float().eval().fuse(verbose=False)
        runs[file] = partial(network, torch.rand(batch, 3, sizes[file], sizes[file], device=device))
    with torch.inference_mode():
        seconds = interleaved({str(file): run for file, run in runs.items()}, int(str(options["rounds"])), device)
    return [
        Point(
            label,
            _name(file),
            metric,
            accuracy[file],
            1e3 * seconds[str(file)] / batch,
            sum(p.numel() for p in models[file].model.parameters()),
            sizes[file],
            batch,
            machine_name(device),
        )
        for label, files in series.items()
        for file in files
    ]


def show(points: list[Point]) -> None:
    """Print the table."""
    first = points[0]
    note = f"{first.device}, batch {first.batch}, forward pass only, medians of interleaved runs"
    table = Table(title=f"{first.metric} against time per image ({note})")
    for column in ("series", "model", first.metric, "ms", "x first", "parameters", "imgsz"):
        table.add_column(column, justify="left" if column in {"series", "model"} else "right")
    for p in points:
        ratio = p.milliseconds / first.milliseconds
        cells = (f"{p.accuracy:.3f}", f"{p.milliseconds:.1f}", f"{ratio:.2f}", f"{p.parameters:,}", str(p.imgsz))
        table.add_row(p.series, p.model, *cells)
    Console(width=max(Console().width, 100)).print(table)


def plot(points: list[Point], file: Path) -> None:
    """Draw accuracy against time, one line a series, its points joined from fast to slow."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
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
    pyplot.close(figure)
