"""Write the tables of the settled trainings into ../evidence.md, out of the ablations that are kept here.

    python docs/evidence/settled.py

Every set has a place on the page, behind `<!-- settled: SET -->`. Tables and tests are those of `yolo-cot ablate`; the
curves of the gates are added, for the report has them as a picture.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from pathlib import Path

from yolo_cot.commands.ablate.plan import load
from yolo_cot.commands.ablate.report import tables
from yolo_cot.commands.ablate.report.document import Table
from yolo_cot.commands.ablate.report.markdown import plain
from yolo_cot.commands.ablate.results import Pair, Results
from yolo_cot.commands.ablate.settled import last_quarter
from yolo_cot.commands.ablate.statistics import Comparison
from yolo_cot.whole_file import read_json

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "evidence.md"
PLACE = re.compile(r"(<!-- settled: (\w+) -->\n).*?(<!-- settled: end -->\n)", re.S)
CONFIDENCE = 0.95
# Of the epochs of a training, where its gates are looked at; the last one is added.
LOOKS = (0, 1 / 12, 1 / 6, 1 / 2, 3 / 4)


def kept(name: str) -> Results:
    """The finished runs of an ablation that is kept in this folder."""
    plan = load(FOLDER / "ablations" / name)
    return Results(plan, plan.own["metric"])


def times(name: str) -> dict[str, float]:
    """Model -> time for one picture in multiples of the base's, as `ablate report=True runtime=onnx` measured it."""
    file = FOLDER / "speed" / f"ablation-{name}.json"
    forward = read_json(file)["forward"] if file.is_file() else {}
    return {label: found[0] / forward["yolo11n"][0] for label, found in forward.items()}


def models(results: Results, times: Mapping[str, float]) -> Table:
    """The measure of every model, its size, its time where it was measured, and whether its trainings had settled."""
    timed = ["time"] if times else []
    header = ["model", "seeds", f"{results.title}", "parameters", *timed, "last quarter", "settled"]
    settled = {row[0]: row[-2:] for row in tables.training_table(results).rows}
    rows = []
    for label in results.runs:
        parameters = results.one(label, "parameters")
        size = "-" if parameters is None else f"{parameters / 1e6:.2f} M"
        found = results.values(label)
        time = [f"{times[label]:.2f}" if label in times else "-" for _ in timed]
        rows.append([label, str(len(found)), tables.mean(found.values()), size, *time, *settled[label]])
    return Table("models", "", header, rows)


def comparisons(results: Results) -> Table:
    """Every comparison with its interval, corrected for their number, and what would have been needed.

    The last column is by how much the difference grew over the last quarter of the epochs, not corrected.
    """
    header = ["comparison", "seeds", "points", "interval", "needed", "shown", "of it in the last quarter"]
    found = results.comparisons(CONFIDENCE)
    rows = [[*_compared(pair.name, compared), tables.mean(growth(results, pair))] for pair, compared in found]
    return Table("comparisons", "", header, rows)


def _compared(name: str, found: Comparison) -> list[str]:
    difference = tables.number(found.mean, sign="+"), tables.reach(found.interval), tables.number(found.needed)
    return [name, str(found.seeds), *difference, "yes" if found.shown else "no"]


def growth(results: Results, pair: Pair) -> list[float]:
    """What the model gained over the last quarter minus what the other one did, in points, for every common seed."""
    model, other = results.runs[pair.model], results.runs[pair.other]
    common = sorted(model.keys() & other.keys())
    return [100 * (last_quarter(model[seed]["curve"]) - last_quarter(other[seed]["curve"])) for seed in common]


def gates(results: Results) -> Table:
    """Mean |gamma| of every gate along the training, in the mean over the seeds."""
    epochs = results.plan.settings["epochs"]
    looks = [*dict.fromkeys(max(1, round(part * epochs)) for part in LOOKS), epochs]
    rows = []
    for label, runs in results.runs.items():
        for gate in dict.fromkeys(name for run in runs.values() for name in run["gates"]):
            curves = [run["gates"][gate] for run in runs.values()]
            cells = [f"{statistics.fmean(curve[epoch - 1] for curve in curves):.3f}" for epoch in looks]
            rows.append([label, gate, str(len(curves)), *cells])
    return Table("gates", "", ["model", "gate", "seeds", *(f"epoch {epoch}" for epoch in looks)], rows, ("gate",))


def text(table: Table) -> str:
    """A table as Markdown."""
    rules = ["---" if table.words(i) else "---:" for i in range(len(table.header))]
    rows = [table.header, rules, *([plain(cell) for cell in row] for row in table.rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def section(name: str) -> str:
    """All tables of one set."""
    results = kept(name)
    return "\n".join(map(text, (models(results, times(name)), comparisons(results), gates(results))))


def with_tables(page: str) -> str:
    """The page with the tables of what is kept."""
    return PLACE.sub(lambda m: f"{m[1]}\n{section(m[2])}\n{m[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
