"""The report of an ablation: what was found, in words first, then in tables and pictures, and how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....whole_file import write_text
from ...templates import render
from ..caveats import caveats
from ..results import Results
from . import disagreement, tables
from .document import Document, Heading, Part, Text
from .latex import latex
from .markdown import markdown
from .plots import draw
from .provenance import provenance
from .spreadsheets import write_spreadsheets
from .verdicts import Compared, method, verdicts


def write_report(results: Results, latency: dict[str, Any], confidence: float = 0.95) -> list[str]:
    """Write the report into the plan's folder: as HTML, Markdown, CSV and LaTeX.

    Args:
        results: what was measured; runs that are not finished are left out, and named.
        latency: what `latency.measure` found; empty if nothing.
        confidence: of all intervals of the comparisons together.

    Returns:
        What was found, one sentence a comparison.
    """
    folder, compared = results.plan.folder, results.comparisons(confidence)
    (folder / "plots").mkdir(exist_ok=True)
    document = build(results, compared, latency, confidence)
    write_spreadsheets(results, compared, document, latency)
    write_text(folder / "tables.tex", latex(document))
    write_text(folder / "report.md", markdown(document, folder))
    write_text(folder / "report.html", render("ablate/report/report.html.j2", document=document))
    return [f"{pair.name}: {result.verdict()}" for pair, result in compared]


def build(results: Results, compared: Compared, latency: dict[str, Any], confidence: float) -> Document:
    """Put the report together; its pictures are written into the plan's folder."""
    plan, folder = results.plan, results.plan.folder / "plots"
    pictures = draw(results, compared, latency, folder)
    models = ", ".join(dict.fromkeys(pair.model for pair, _ in compared))
    intro = (
        f"{results.title}, measured on the {plan.split} split of {Path(str(plan.settings['data'])).name}, in points "
        f"(hundredths). {plan.seeds} seeds for every model, each on the same pictures in the same order."
    )
    sections: dict[str, list[Part | None]] = {
        "What was found": [
            *verdicts(compared),
            Text(method(compared, confidence)),
            *map(Text, caveats(results)),
            pictures.get("differences"),
        ],
        "The models": [tables.models_table(results), tables.accuracy_table(results), pictures.get("points")],
        "Time": [tables.time_table(results, latency), pictures.get("latency")]
        if latency
        else [Text("The time for a picture was not measured.")],
        "The comparisons": [tables.comparisons_table(compared)],
        "The trainings": [
            *(tables.training_table(results), pictures.get("training")),
            *(tables.gates_table(results), pictures.get("gates")),
        ],
        "Classes, sizes, curves": [
            *(tables.classes_table(results), tables.sizes_table(results)),
            *(pictures.get(name) for name in ("precision_over_recall", "precision", "recall")),
        ],
        "Where the models differ": [disagreement.found_table(results), *disagreement.pictures(results, folder)],
        "How it was made": [*provenance(results)],
    }
    document = Document(f"Does it help? {models} against {plan.models[0].label}", [Text(intro)])
    for heading, parts in sections.items():
        if there := [part for part in parts if part is not None]:
            document.parts += [Heading(heading), *there]
    return document
