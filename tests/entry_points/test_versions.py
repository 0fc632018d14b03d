"""Which Ultralytics is worked with: the contract holds for the installed one; others are refused in one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.processes import environment, python

STOCK = """
from ultralytics.nn.tasks import DetectionModel
assert len(DetectionModel("yolo11n.yaml", verbose=False).model) == 24
print("stock works")
"""

REFUSED = """
import ultralytics
{edit}
try:
    import yolo_cot
except ImportError as error:
    print("refused:", error)
"""


def test_the_installed_ultralytics_keeps_the_contract():
    done = subprocess.run(
        [sys.executable, "-m", "tests.entry_points.contract"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") >= 12


@pytest.mark.parametrize("version", ["8.3.199", "8.5.0", "9.0.1", "8.5.0.dev1", "8.2.999"])
def test_an_ultralytics_outside_the_range_is_refused_with_both_versions(version):
    done = python(REFUSED.format(edit=f"ultralytics.__version__ = {version!r}") + STOCK)
    assert "refused: yolo_cot 0.1.0 works with Ultralytics from 8.3.200 up to, not including, 8.5.0" in done.stdout
    assert f"found {version}. Run: pip install 'ultralytics>=8.3.200,<8.5.0'" in done.stdout
    assert "stock works" in done.stdout


@pytest.mark.parametrize("version", ["8.3.200", "8.4.190rc1", "8.4.999"])
def test_an_ultralytics_inside_the_range_is_not_refused_for_its_number(version):
    assert "refused" not in python(REFUSED.format(edit=f"ultralytics.__version__ = {version!r}")).stdout


def test_a_parser_that_fails_the_self_check_is_refused_and_stock_models_work(tmp_path):
    edit = f"""
import inspect
from ultralytics.nn import tasks
text = inspect.getsource(tasks.parse_model).replace("m is C3k2", "m.__name__ == 'C3k2'")
open({str(tmp_path / "edited.py")!r}, "w").write(text)
exec(compile(text, {str(tmp_path / "edited.py")!r}, "exec"), vars(tasks))
ultralytics.__version__ = "8.4.77"
"""
    done = python(REFUSED.format(edit=edit) + STOCK)
    assert "refused: yolo_cot 0.1.0 does not know the parser of Ultralytics 8.4.77: " in done.stdout
    assert "got the detection head of YOLOv8" in done.stdout
    assert "stock works" in done.stdout


def test_an_edited_copy_that_has_a_block_of_our_name_is_refused():
    edit = "from ultralytics.nn import tasks\ntasks.CoTAttention = object\n"
    assert "already has a module named CoTAttention: it is an edited copy" in python(REFUSED.format(edit=edit)).stdout
