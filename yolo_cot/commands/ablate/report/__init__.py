"""The report of an ablation: what was found, in words first, then in tables and pictures, and how it was made."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from ..caveats import caveats
from ..files import write_text
from ..plan import Plan
from ..provenance import provenance
from ..results import METRICS, Results
from ..statistics import bootstrap
from . import plots
from .document import Document, Heading, Picture
from .markdown import markdown
from .tables import Compared, bootstrap_note, classes_table, comparisons_table, latency_note, models_table


def write_report(plan: Plan, latency: dict[str, Any], metric: str = "map", confidence: float = 0.95) -> list[str]:
    """Write results.csv, comparisons.csv, pictures, report.md and report.html into the plan's folder.

    Args:
        plan: the plan; runs that are not finished are left out, and named.
        latency: what `latency.measure` found; empty if nothing.
        metric: what is compared, a key of `METRICS`.
        confidence: of all intervals together.

    Returns:
        What was found, one sentence a comparison.
    """
    results = Results(plan)
    compared = results.comparisons(metric, confidence)
    results.write_csv(plan.folder / "results.csv", latency)
    write_comparisons(plan.folder / "comparisons.csv", results, compared, metric)
    document = build(results, compared, latency, metric, confidence)
    write_text(plan.folder / "report.md", markdown(document, plan.folder))
    write_text(plan.folder / "report.html", document.html())
    return [f"{pair.model} against {pair.other}: {result.verdict()}" for pair, result in compared]


def write_comparisons(file: Path, results: Results, compared: Compared, metric: str) -> None:
    """Write one line for each comparison."""
    header = ["model", "other", "role", "metric", "seeds", "mean", "sd", "low", "high", "confidence", "comparisons"]
    header += ["bootstrap_low", "bootstrap_high", "p", "p_holm", "needed", "shown", "differences", "verdict"]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for pair, c in compared:
            numbers = [c.mean, c.sd, *c.interval, c.level, c.comparisons]
            rest = [*bootstrap(c.differences, c.level), c.p, c.holm, c.needed]
            each = " ".join(f"{seed}:{d:+.4f}" for seed, d in results.differences(pair, metric).items())
            line = [pair.model, pair.other, pair.role, metric, c.seeds, *map(plain, numbers), *map(plain, rest)]
            writer.writerow([*line, c.shown, each, c.verdict()])


def build(results: Results, compared: Compared, latency: dict[str, Any], metric: str, confidence: float) -> Document:
    """Put the report together; its pictures are written into the plan's folder."""
    plan, what = results.plan, METRICS[metric][2]
    base = plan.models[0].label
    document = Document(f"Does it help? {', '.join(dict.fromkeys(p.model for p, _ in compared))} against {base}")
    add = document.parts.append
    add(
        f"{what}, measured on the {plan.split} split of {Path(str(plan.settings['data'])).name}, in points "
        f"(hundredths). {plan.seeds} seeds for every model, each on the same pictures in the same order."
    )
    add(Heading("What was found"))
    document.parts += found(compared)
    add(method(compared, confidence))
    document.parts += caveats(results, metric)
    pictures = draw(results, compared, latency, metric)
    if "differences" in pictures:
        add(pictures["differences"])
    add(Heading("The models"))
    add(models_table(results, latency))
    add(f"Mean ± standard deviation over the seeds. {latency_note(latency)}")
    document.parts += [p for name, p in pictures.items() if name != "differences"]
    add(Heading("The comparisons"))
    add(comparisons_table(compared))
    add(bootstrap_note(compared))
    if classes := results.classes():
        add(Heading("Per class"))
        add(classes_table(results, classes))
        add(
            "AP50-95 of the best epoch, mean ± standard deviation over the seeds. To be looked at, not to be claimed "
            "from: with this many numbers some differ by chance, and none of them is tested."
        )
    add(Heading("How it was made"))
    document.parts += provenance(results)
    return document


def found(compared: Compared) -> list[Any]:
    """For each model a line that sums up, and below it what each of its comparisons says."""
    parts: list[Any] = []
    for model in dict.fromkeys(pair.model for pair, _ in compared):
        mine = [(pair, c) for pair, c in compared if pair.model == model]
        parts.append(Heading(f"{model}: {summary(mine)}", 3))
        parts.append([f"Against {pair.other}{ROLES[pair.role]}: {c.verdict()}." for pair, c in mine])
    return parts


ROLES = {
    "base": ", the base",
    "widened": ", the base widened to the same size",
    "convolution": ", a plain convolution in the same place",
}


def summary(compared: Compared) -> str:
    """The comparisons of one model in one phrase."""
    base = next(c for pair, c in compared if pair.role == "base")
    if not base.shown:
        return "no gain shown" if base.seeds > 1 else "nothing can be said yet"
    if base.mean < 0:
        return "worse than the base"
    controls = [(pair, c) for pair, c in compared if pair.role != "base"]
    unbeaten = " and ".join(pair.other for pair, c in controls if not (c.shown and c.mean > 0))
    if unbeaten:
        return f"better than the base, but not shown to be better than {unbeaten}, so its size may explain it"
    return "better than the base and than its controls" if controls else "better than the base"


def method(compared: Compared, confidence: float) -> str:
    """How the verdicts were reached."""
    text = (
        "Every seed gives one difference between two models, and the intervals are Student's, over those differences. "
        f"{len(compared)} comparison{'s' * (len(compared) > 1)} beside each other: all is corrected, so the chance "
        f"of even one claim without a cause is at most {1 - confidence:.2g} (tests by Holm, intervals by Bonferroni). "
        "That a difference is not shown does not say that there is none."
    )
    if min(c.seeds for _, c in compared) < 3:
        text += " Fewer than three seeds can show only differences far larger than those that blocks usually bring."
    return text


def draw(results: Results, compared: Compared, latency: dict[str, Any], metric: str) -> dict[str, Picture]:
    """Write the pictures that there is something to see in."""
    folder = results.plan.folder / "plots"
    folder.mkdir(exist_ok=True)
    found: dict[str, Picture] = {}
    if any(c.seeds for _, c in compared):
        file = folder / "differences.svg"
        plots.differences(compared, file)
        caption = "Differences: a grey point for each seed, their mean as a diamond with its corrected interval, "
        caption += "green or red where it is more than chance."
        found["differences"] = Picture(file, caption)
    if any(results.runs.values()):
        file = folder / "points.svg"
        plots.points(results, metric, file)
        found["points"] = Picture(file, "Every run; runs with the same seed are joined.")
    if latency:
        file = folder / "latency.svg"
        plots.accuracy_against_latency(results, metric, latency["milliseconds"], latency["device"], file)
        caption = "Accuracy against latency; the bars are one standard deviation over the seeds, not an interval. "
        found["latency"] = Picture(file, caption + "Black: base, blue: models, brown and grey: controls.")
    return found


def plain(value: float) -> str:
    """A number for a CSV; empty for nan."""
    return "" if math.isnan(value) else f"{value:.6g}"
