"""Keep the small results of an ablation in this folder, and lay them out again, so that it goes on elsewhere.

    python docs/evidence/keep.py from=runs/ablate to=docs/evidence/ablations/bccd
    python docs/evidence/keep.py from=docs/evidence/ablations/bccd to=runs/ablate data=bccd.yaml weights=yolo11n.pt

Kept are the plan without the paths of its machine, the models, and of every finished run its result, its table of
epochs, its gates and the lines of its log that tell which weights were taken. Checkpoints and boxes are not: what the
report says of single pictures and of time needs a run that is there whole.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from trainings import arguments

from yolo_cot.commands.ablate.plan import load
from yolo_cot.commands.ablate.results import NOT_WIDENED
from yolo_cot.whole_file import read_json, write_json

SMALL = ("result.json", "results.csv", "gates.csv")
TOLD = re.compile(rf"^.*(?:Transferred \d+/\d+ items|{NOT_WIDENED}).*$", re.MULTILINE)


def keep(source: Path, target: Path) -> None:
    """Copy what is small of every finished run."""
    plan = load(source)
    shutil.copytree(source / "models", target / "models", dirs_exist_ok=True)
    for run in plan.runs():
        if not run.finished:
            continue
        folder = target / "runs" / run.name
        folder.mkdir(parents=True, exist_ok=True)
        for name in SMALL:
            if (run.folder / name).is_file():
                shutil.copyfile(run.folder / name, folder / name)
        log = target / "logs" / run.log.name
        log.parent.mkdir(exist_ok=True)
        told = TOLD.findall(run.log.read_text(encoding="utf-8", errors="replace")) if run.log.is_file() else []
        log.write_text("".join(f"{line}\n" for line in dict.fromkeys(told)), encoding="utf-8")


def settings(content: dict[str, Any], data: str, weights: str) -> dict[str, Any]:
    """A plan whose data set and weights lie elsewhere."""
    return {**content, "settings": {**content["settings"], "data": data, "pretrained": weights}}


def main() -> None:
    """Keep, or lay out again."""
    given = arguments()
    source, target = Path(given["from"]), Path(given["to"])
    target.mkdir(parents=True, exist_ok=True)
    keep(source, target)
    content = read_json(source / "plan.json")
    old = content["settings"]
    if "data" in given:
        places = str(Path(given["data"]).resolve()), str(Path(given["weights"]).resolve())
    else:
        places = Path(old["data"]).name, Path(old["pretrained"]).name
    write_json(target / "plan.json", settings(content, *places))


if __name__ == "__main__":
    main()
