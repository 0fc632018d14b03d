"""Run the version contract against many releases of Ultralytics, side by side, and print a table.

    python tests/matrix.py                       the releases that the tested range rests on, and the newest
    python tests/matrix.py 8.3.200 newest        these releases
    python tests/matrix.py --full 8.4.0          and, for 8.4.0, training, predict, ONNX export, tuning and two ranks
    python tests/matrix.py --wheels folder       keep the downloaded wheels there, and take those that are there

Each release is a wheel from the package index, unpacked into a folder that stands in front of the environment in
PYTHONPATH; the environment itself, with its own Ultralytics, stays as it is. Exit status 1 if any release fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
_OLDER = ["8.3.200", "8.3.210", "8.3.220", "8.3.230", "8.3.240", "8.3.253"]
_NEWER = ["8.4.0", "8.4.10", "8.4.25", "8.4.50", "8.4.75", "8.4.100", "8.4.125", "8.4.150", "8.4.175", "8.4.190"]
NEWEST = "newest"
RELEASES = [*_OLDER, *_NEWER, NEWEST]
# Releases before this one do not pass dynamo=False, so from torch 2.9 on they cannot export, whatever the model.
EXPORTS_FROM = (8, 3, 220)
FULL = ("8.3.220", "8.4.100", "8.4.190", NEWEST)


def download(wanted: str, wheels: Path) -> Path:
    """Download the wheel of a requirement; returns its file. Without a version it is that of the newest release."""
    with tempfile.TemporaryDirectory(dir=wheels) as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, wanted]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        (file,) = Path(folder).glob("*.whl")
        return file.replace(wheels / file.name)


def newest(wheels: Path) -> str:
    """The number of the newest release; its wheel is there afterwards."""
    return download("ultralytics", wheels).name.split("-")[1]


def unpack(release: str, wheels: Path, folder: Path) -> Path:
    """Download the wheel of a release, and of cloudpickle, which some need and do not declare; unpack them."""
    target = folder / release
    for wanted in (f"ultralytics=={release}", "cloudpickle==3.1.2"):
        name, version = wanted.split("==")
        found = next(wheels.glob(f"{name}-{version}-*.whl"), None) or download(wanted, wheels)
        with zipfile.ZipFile(found) as archive:
            archive.extractall(target)
    return target


def contract(place: Path, full: bool) -> tuple[bool, str, float]:
    """Run the contract with the Ultralytics of a folder; returns whether it held, its output and its seconds."""
    start = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "tests.entry_points.contract", *(["--full"] if full else [])],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(place), str(ROOT)]),
            "OMP_NUM_THREADS": "1",
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
        },
        capture_output=True,
        text=True,
    )
    return done.returncode == 0, done.stdout + done.stderr, time.time() - start


def main() -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", default=RELEASES)
    parser.add_argument("--full", nargs="*", default=FULL, metavar="RELEASE")
    parser.add_argument("--wheels", type=Path)
    options = parser.parse_args()
    table = Table(title="Ultralytics releases")
    for column in ("release", "contract", "train, predict, export, tune, two ranks", "seconds", "note"):
        table.add_column(column)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        wheels = options.wheels or Path(folder) / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        last_release = newest(wheels) if NEWEST in options.releases else ""
        named = [last_release if release == NEWEST else release for release in options.releases]
        whole = {last_release if release == NEWEST else release for release in options.full}
        for release in dict.fromkeys(named):
            full = release in whole
            held, output, seconds = contract(unpack(release, wheels, Path(folder) / "unpacked"), full)
            used = f"ultralytics {release}," in output
            failed += not (held and used)
            last = output.strip().splitlines()[-1][:80] if not held else "" if used else "another release was imported"
            if not last and tuple(map(int, release.split("."))) < EXPORTS_FROM:
                last = "cannot export to ONNX with torch 2.9 or later, stock models neither"
            word = "holds" if held and used else "FAILS"
            table.add_row(release, word, word if full else "-", f"{seconds:.0f}", last)
            print(f"{release:8} {word} {last}", flush=True)
            if not held:
                print(output[-3000:])
    Console().print(table)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
