"""The tables for LaTeX and as CSV: the same cells as in the report, and they compile."""

from __future__ import annotations

import csv
import shutil
import subprocess

import pytest

from tests.commands.ablate.ablations import finish, pretended
from yolo_cot.commands.ablate.report import write_report
from yolo_cot.commands.ablate.report.document import Document, Table
from yolo_cot.commands.ablate.report.latex import latex, plain
from yolo_cot.commands.ablate.results import Results

NAMES = ["50% & more", "a_b#c", "{d} \\ ~ ^", "<e> $f$ | g"]
DOCUMENT = r"""\documentclass{article}
\usepackage{array,booktabs,graphicx}
\begin{document}
\input{tables.tex}
\end{document}
"""


@pytest.fixture
def folder(tmp_path):
    plan = pretended(tmp_path, {"yolo11n": [None] * 3, "yolo11n-cot": [None] * 3})
    for run in plan.runs():
        sizes = {"all": 0.6, "small": 0.3, "medium": 0.6, "large": None}
        best = {"classes": dict.fromkeys(NAMES, 0.5), "sizes": sizes}
        finish(run, 0.6 + run.seed / 50, best=best, gates={"11.CoTAttention": [0.1] * 40})
    write_report(Results(plan), {})
    return tmp_path


def test_text_shows_as_it_is():
    assert plain(r"50% & \a_{1} ~^ <b|c> ± #$") == (
        r"50\% \& \textbackslash{}a\_\{1\} \textasciitilde{}\textasciicircum{} "
        r"\textless{}b\textbar{}c\textgreater{} $\pm$ \#\$"
    )


def test_every_table_is_there_for_latex_and_as_csv_with_seeds_and_intervals(folder):
    text = (folder / "tables.tex").read_text()
    files = {file.stem: list(csv.reader(file.read_text().splitlines())) for file in (folder / "tables").glob("*.csv")}
    assert set(files) == {"models", "accuracy", "comparisons", "training", "gates", "classes", "sizes"}
    for name, (header, *rows) in files.items():
        assert rf"\label{{tab:{name}}}" in text
        assert header[header.index("seeds")]
        assert rows[0][header.index("seeds")] == "3"
        for cells in (header, *rows):
            assert " & ".join(map(plain, cells)) in text
    # 62 points, and 2 points of spread over three seeds: t is 4.303, the half width 4.97.
    assert files["models"][1][3] == "62.00 [57.03, 66.97]"
    assert files["sizes"][1] == [
        "yolo11n",
        "3",
        "60.00 [60.00, 60.00]",
        "30.00 [30.00, 30.00]",
        "60.00 [60.00, 60.00]",
        "-",
    ]


def test_long_words_are_wrapped_and_figures_are_not():
    rows = [["yolo11n-cot against yolo11n-width-0.2812", "-1.00 to 1.00", "no"]]
    text = latex(Document("t", [Table("of", "A caption.", ["comparison", "interval", "shown"], rows, ["shown"])]))
    assert r"\begin{tabular}{>{\raggedright\arraybackslash}p{0.26\linewidth}rl}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_tables_compile(folder):
    (folder / "thesis.tex").write_text(DOCUMENT)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "thesis.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert (folder / "thesis.pdf").stat().st_size > 10_000
