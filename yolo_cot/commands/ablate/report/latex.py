"""The tables of a report for LaTeX: `\\input{tables.tex}`, with the packages array, booktabs and graphicx."""

from __future__ import annotations

import re

from .document import Document, Table

# Words longer than this are wrapped: one line of them would make everything beside it too small to read.
WRAPPED, COLUMN = 26, r">{\raggedright\arraybackslash}p{0.26\linewidth}"
SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
}


def latex(document: Document) -> str:
    """Every table of the report as a floating table of its own, labelled `tab:NAME`."""
    head = f"% {' '.join(document.title.split())}\n% Needs \\usepackage{{array,booktabs,graphicx}}.\n"
    return head + "\n".join(map(_table, document.tables))


def _table(table: Table) -> str:
    columns = "".join(_column(table, i) for i in range(len(table.header)))
    lines = [" & ".join(map(plain, cells)) + r" \\" for cells in (table.header, *table.rows)]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            r"\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{plain(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def _column(table: Table, index: int) -> str:
    if not table.words(index):
        return "r"
    return COLUMN if max((len(row[index]) for row in table.rows), default=0) > WRAPPED else "l"


def plain(text: str) -> str:
    """Text that shows as it is."""
    return re.sub("[" + re.escape("".join(SPECIAL)) + "]", lambda m: SPECIAL[m[0]], " ".join(text.split()))
