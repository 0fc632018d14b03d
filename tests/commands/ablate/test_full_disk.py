"""An ablation on a disk that fills up while it is at work."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.commands.ablate.ablations import inputs, words
from tests.processes import YOLO_COT, python
from yolo_cot.commands.ablate.plan import load


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 24 MB; the test is skipped where none may be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here, so no small disk to fill")
    if done.returncode:
        pytest.skip(f"no small disk may be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


# Fills the disk when the second of the two runs starts.
FILLING = """
import sys
if any("yolo11n-tiny-seed0" in word for word in sys.orig_argv):
    with open("{place}/filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
"""


@pytest.mark.slow
def test_a_full_disk_loses_no_finished_run_and_the_ablation_goes_on_when_there_is_room(tmp_path, small_disk):
    project = small_disk / "p"
    given = {**inputs(tmp_path), "project": project, "seeds": 1, "controls": False, "device": "cpu"}
    (tmp_path / "sitecustomize.py").write_text(FILLING.format(place=small_disk))
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = python(YOLO_COT, "ablate", *words(given), status=1, PYTHONPATH=path)
    assert "No space left on device" in done.stderr + (project / "logs" / "yolo11n-tiny-seed0.txt").read_text()
    assert "Traceback" not in done.stderr
    first, second = load(project).runs()
    result = (first.folder / "result.json").read_bytes()
    assert first.finished
    assert not second.finished
    (small_disk / "filler").unlink()
    done = python(YOLO_COT, "ablate", *words(given))
    assert "yolo11n-plain seed 0 started" not in done.stdout
    assert (first.folder / "result.json").read_bytes() == result
    assert second.finished
    assert (project / "report.html").stat().st_size > 0
