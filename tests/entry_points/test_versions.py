"""Which Ultralytics is worked with: the contract holds for the installed one; of others the self-check decides."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import yaml

from tests import matrix
from tests.conftest import ROOT
from tests.processes import environment, python
from yolo_cot.version import __version__

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


@pytest.mark.slow
def test_the_installed_ultralytics_keeps_the_contract():
    done = subprocess.run(
        [sys.executable, "-m", "tests.entry_points.contract", "--sample"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") >= 12


# The parser of the installed release, changed so that the rewrite no longer fits it.
EDITED_PARSER = """
import inspect, tempfile
from ultralytics.nn import tasks
text = inspect.getsource(tasks.parse_model).replace("m is C3k2", "m.__name__ == 'C3k2'")
file = tempfile.NamedTemporaryFile("w", suffix=".py", delete=False)
file.write(text)
file.close()
exec(compile(text, file.name, "exec"), vars(tasks))
"""


# Imports the package under one version after another, each time as if for the first time.
IMPORTED_AGAIN = """
import sys
import ultralytics
for version in sys.argv[1:]:
    ultralytics.__version__ = version
    for name in [name for name in sys.modules if name.split(".")[0] == "yolo_cot"]:
        del sys.modules[name]
    import yolo_cot
    yolo_cot.uninstall()
"""


def test_outside_the_tested_range_the_self_check_decides_with_one_warning():
    versions = ["8.3.199", "8.5.0", "9.0.1", "8.5.0.dev1"]
    done = python(IMPORTED_AGAIN + STOCK, *versions)
    said = done.stdout + done.stderr
    told = f"yolo_cot {__version__} is tested with Ultralytics from 8.3.200 up to, not including, 8.5.0;"
    assert said.count(told) == len(versions)
    for version in versions:
        assert said.count(f"found {version}, whose parser passes the self-check") == 1
    assert "stock works" in done.stdout


def test_outside_the_tested_range_a_parser_that_fails_the_self_check_is_refused():
    done = python(REFUSED.format(edit=f"{EDITED_PARSER}\nultralytics.__version__ = '8.6.0'") + STOCK)
    assert f"refused: yolo_cot {__version__} does not know the parser of Ultralytics 8.6.0: " in done.stdout
    assert "Install a release that it is tested with, from 8.3.200 up to, not including, 8.5.0" in done.stdout
    assert "is tested with Ultralytics" not in done.stdout + done.stderr
    assert "stock works" in done.stdout


def test_the_metadata_has_no_upper_bound():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"ultralytics>=8.3.200"' in text


def test_the_newest_release_is_run_by_the_matrix_and_every_week():
    assert matrix.NEWEST in matrix.RELEASES
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text(encoding="utf-8"))
    commands = [step.get("run", "") for job in weekly["jobs"].values() for step in job["steps"]]
    assert any("tests/matrix.py" in command and matrix.NEWEST in command.split() for command in commands)
    # YAML 1.1 reads the key `on` as true.
    (schedule,) = weekly[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule["cron"])


def test_inside_the_tested_range_nothing_is_said_of_the_version():
    done = python(IMPORTED_AGAIN, "8.3.200", "8.4.190rc1", "8.4.999")
    assert "is tested with" not in done.stdout + done.stderr


def test_a_parser_that_fails_the_self_check_is_refused_and_stock_models_work():
    done = python(REFUSED.format(edit=f"{EDITED_PARSER}\nultralytics.__version__ = '8.4.77'") + STOCK)
    assert f"refused: yolo_cot {__version__} does not know the parser of Ultralytics 8.4.77: " in done.stdout
    assert "got the detection head of YOLOv8" in done.stdout
    assert "stock works" in done.stdout


@pytest.fixture
def refused_everywhere(tmp_path):
    """Variables with which every Python finds a parser that is refused, and a package of the user's to run."""
    (tmp_path / "sitecustomize.py").write_text(EDITED_PARSER)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("import yolo_cot\n")
    (tmp_path / "mine" / "work.py").write_text("print('went on')\n")
    (tmp_path / "yolo-cot.py").write_text("import yolo_cot\nprint('went on')\n")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    return tmp_path, environment(PYTHONPATH=path)


def run(refused_everywhere, *words):
    folder, variables = refused_everywhere
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


@pytest.mark.parametrize("words", [("-m", "mine.work"), ("-W", "ignore", "-m", "mine.work"), ("yolo-cot.py",)])
def test_a_refusal_is_raised_in_every_program_but_our_own_command(refused_everywhere, words):
    done = run(refused_everywhere, *words)
    assert done.returncode == 1
    assert "went on" not in done.stdout
    assert f"ImportError: yolo_cot {__version__} does not know the parser" in done.stderr


@pytest.mark.parametrize("words", [("-m", "yolo_cot"), ("-W", "ignore", "-m", "yolo_cot")])
def test_our_own_command_tells_a_refusal_in_one_line(refused_everywhere, words):
    done = run(refused_everywhere, *words, "checks")
    assert done.returncode == 1
    assert "self-check    failed" in done.stdout
    assert done.stderr.strip().splitlines()[-1].startswith(f"yolo-cot: yolo_cot {__version__} does not know the parser")
    assert "Traceback" not in done.stderr
    assert "Traceback" not in run(refused_everywhere, *words, "models").stderr


def test_an_edited_copy_that_has_a_block_of_our_name_is_refused():
    edit = "from ultralytics.nn import tasks\ntasks.CoTAttention = object\n"
    assert "already has a module named CoTAttention: it is an edited copy" in python(REFUSED.format(edit=edit)).stdout
