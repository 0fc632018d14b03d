"""The table of what `fusion.py` wrote, as Markdown.

python docs/evidence/fusion_tables.py docs/evidence/gates
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from gate_tables import interval, line
from trainings import Rows, read

FULL = "attention"


def lines(rows: Rows) -> list[str]:
    """Every block: size, balanced accuracy, and the full block minus this one in points."""
    by: dict[str, dict[str, float]] = defaultdict(dict)
    sizes = {row["block"]: int(row["parameters"]) for row in rows}
    for row in rows:
        by[row["block"]][row["seed"]] = 100 * float(row["accuracy"])
    level = 1 - 0.05 / max(len(by) - 1, 1)
    out = [
        "| block | parameters | seeds | mean of recalls | full block minus this |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, scores in by.items():
        mean, low, high = interval(list(scores.values()))
        against = ""
        if name != FULL:
            centre, left, right = interval([by[FULL][s] - score for s, score in scores.items() if s in by[FULL]], level)
            against = f"{centre:+.2f} ({left:+.2f} to {right:+.2f})"
        out.append(line([name, f"{sizes[name]:,}", str(len(scores)), f"{mean:.2f} ({low:.2f} to {high:.2f})", against]))
    return out


def main() -> None:
    """Print the table."""
    print("\n".join(lines(read(*sorted(Path(sys.argv[1]).glob("fusion-?.csv"))))))


if __name__ == "__main__":
    main()
