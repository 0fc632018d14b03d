"""The table of docs/export.md out of what `yolo-cot verify` left.

    python docs/evidence/formats.py yolo11n-cot=runs/verify/verify.csv

Each file's rows are added to `formats.csv` beside this script, without times; the table is made out of that.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

KEPT = Path(__file__).parent / "formats.csv"
PAGE = Path(__file__).parents[1] / "export.md"
COLUMNS = ("config", "format", "verdict", "error", "error_plain", "megabytes")
PLACE = re.compile(r"(<!-- formats -->\n).*?(<!-- formats: end -->\n)", re.S)


def kept() -> list[dict[str, str]]:
    """The rows that were added."""
    with KEPT.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def add(config: str, file: Path) -> None:
    """Add the rows of a file in the place of older ones of the same config and format."""
    rows = {(row["config"], row["format"]): row for row in (kept() if KEPT.is_file() else [])}
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rows[config, row["format"]] = {**{name: row.get(name, "") for name in COLUMNS}, "config": config}
    with KEPT.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def table(rows: list[dict[str, str]]) -> str:
    """A line for each config and format."""
    lines = ["| config | format | verdict | error | plain yolo11n's |", "|---|---|---|--:|--:|"]
    for row in rows:
        errors = ["" if row[name] == "nan" else f"{float(row[name]):.1e}" for name in ("error", "error_plain")]
        lines.append(f"| {row['config']} | {row['format']} | {row['verdict']} | {errors[0]} | {errors[1]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for word in sys.argv[1:]:
        name, _, path = word.partition("=")
        add(name, Path(path))
    PAGE.write_text(
        PLACE.sub(lambda m: m[1] + table(kept()) + m[2], PAGE.read_text(encoding="utf-8")), encoding="utf-8"
    )
