"""The table of docs/export.md out of what `yolo-cot verify` left.

    python docs/evidence/formats.py yolo11n-cot=runs/verify/verify.csv yolo11n-cot:half=runs/half/verify.csv

Each file's rows are added to `formats.csv` beside this script, without times, in the place of older ones of the same
config, format and kind; the table is made out of that. A kind, behind the colon, says how the file was exported.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

KEPT = Path(__file__).parent / "formats.csv"
PAGE = Path(__file__).parents[1] / "export.md"
KEYS = ("config", "format", "kind")
COLUMNS = (*KEYS, "verdict", "error", "error_plain", "note")
PLACE = re.compile(r"(<!-- formats -->\n).*?(<!-- formats: end -->\n)", re.S)
NAMES = {"torchscript": "TorchScript", "onnx": "ONNX", "openvino": "OpenVINO", "ncnn": "NCNN", "mnn": "MNN"}
NAMES |= {"litert": "LiteRT", "executorch": "ExecuTorch", "saved_model": "SavedModel", "coreml": "CoreML"}
NAMES |= {"rknn": "RKNN", "qnn": "QNN", "coreai": "Core AI", "paddle": "Paddle"}
Row = dict[str, str]


def kept() -> list[Row]:
    """The rows that were added."""
    if not KEPT.is_file():
        return []
    with KEPT.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def add(config: str, file: Path) -> None:
    """Add the rows of a file in the place of older ones."""
    config, _, kind = config.partition(":")
    rows = {tuple(row[key] for key in KEYS): row for row in kept()}
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found = {**{name: row.get(name, "") for name in COLUMNS}, "config": config, "kind": kind}
            rows[tuple(found[key] for key in KEYS)] = found
    with KEPT.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def table(rows: list[Row]) -> str:
    """A line for each format and kind, a column for each config; the plain model's error is its largest."""
    configs = list(dict.fromkeys(row["config"] for row in rows))
    lines = [f"| format | plain | {' | '.join(name.removeprefix('yolo11n-') for name in configs)} |"]
    lines.append("|---|--:|" + "--:|" * len(configs))
    for form, kind in dict.fromkeys((row["format"], row["kind"]) for row in rows):
        of = {row["config"]: row for row in rows if (row["format"], row["kind"]) == (form, kind)}
        plain = [float(row["error_plain"]) for row in of.values() if row["error_plain"] not in ("", "nan")]
        name = NAMES.get(form, form) + (f", {kind}" if kind else "")
        cells = [f"{max(plain):.1e}" if plain else "", *(cell(of.get(config)) for config in configs)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(row: Row | None) -> str:
    """The error, with the verdict where that is another than agreement."""
    if row is None:
        return ""
    error = "" if row["error"] in ("", "nan") else f"{float(row['error']):.1e}"
    return error if row["verdict"] == "agrees" else f"{row['verdict']} {error}".strip()


if __name__ == "__main__":
    for word in sys.argv[1:]:
        name, _, path = word.partition("=")
        add(name, Path(path))
    PAGE.write_text(
        PLACE.sub(lambda m: m[1] + table(kept()) + m[2], PAGE.read_text(encoding="utf-8")), encoding="utf-8"
    )
