"""The plain `yolo`: one start-up line makes it know the blocks, and costs nothing where Ultralytics is not imported."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from tests.commands.verbs import call
from tests.entry_points import tiny
from tests.processes import YOLO, YOLO_COT, environment, here, python
from yolo_cot.version import __version__

# Commands of ours without arguments, one after another.
SEVERAL = """
import sys
from yolo_cot.cli import main
for verb in sys.argv[1:]:
    sys.argv[1:] = [verb]
    main()
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """The Python of a virtual environment of its own, which sees the packages of this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "link.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder / "bin" / "python"


def run(own: Path, code: str, *words: object, cwd: Path | None = None, status: int = 0) -> str:
    done = subprocess.run(
        [str(own), "-c", code, *map(str, words)], cwd=cwd, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_enable_and_disable_switch_the_plain_yolo(own, tmp_path):
    tiny.model(tmp_path)
    data = tiny.data(tmp_path / "d")
    train = ["detect", "train", *tiny.arguments(tmp_path, model="yolo11n-tiny.yaml", data=data)]
    assert "KeyError: 'C3k2CoT'" in run(own, YOLO, *train, cwd=tmp_path, status=1)
    said = run(own, SEVERAL, "disable", "checks", "enable", "checks")
    parts = ["Not enabled in this environment", "not enabled; `yolo-cot enable` does it"]
    parts += ["Enabled: every Python of this environment", "yolo_cot_enable.pth"]
    assert re.search(".*".join(map(re.escape, parts)), said, re.S), said
    run(own, YOLO, *train, cwd=tmp_path)
    assert (tmp_path / "runs/t/weights/best.pt").is_file()
    assert "Disabled: removed" in run(own, YOLO_COT, "disable")
    assert "KeyError: 'C3k2CoT'" in run(own, YOLO, *train, cwd=tmp_path, status=1)


def test_an_enabled_python_that_never_imports_ultralytics_starts_as_before(own):
    from yolo_cot.plugin.startup.line import line

    modules = "import sys; print(sorted(sys.modules), len(sys.meta_path))"
    file = next(own.parents[1].glob("lib/*/site-packages")) / "yolo_cot_enable.pth"

    def seconds() -> float:
        start = time.perf_counter()
        run(own, "pass")
        return time.perf_counter() - start

    try:
        without, times = run(own, modules), [[], []]
        for _ in range(9):
            file.unlink(missing_ok=True)
            times[0].append(seconds())
            file.write_text(line())
            times[1].append(seconds())
        with_line = run(own, modules)
    finally:
        file.unlink(missing_ok=True)
    assert with_line.split("]")[0] == without.split("]")[0]
    assert int(with_line.split("]")[1]) == int(without.split("]")[1]) + 1
    assert min(times[1]) - min(times[0]) < 0.01


def test_the_line_does_nothing_once_the_package_is_gone(own, tmp_path):
    from yolo_cot.plugin.startup.line import line

    gone = line().replace("finder.py", "no-such-finder.py")
    assert gone != line()
    assert run(own, f"{gone}\nimport sys; print(len(sys.meta_path))") == run(
        own, "import sys; print(len(sys.meta_path))"
    )


def test_an_enabled_python_with_a_refused_ultralytics_says_so_and_stock_models_work():
    from yolo_cot.plugin.startup.line import line

    # `inspect` shows our check another text than the one that Ultralytics runs.
    edit = "import inspect\nreal = inspect.getsourcelines\ninspect.getsourcelines = lambda f: (['def f(): pass'], 1)\n"
    code = f"{edit}{line()}\nfrom ultralytics import YOLO\n"
    done = python(code + "assert len(YOLO('yolo11n.yaml').model.model) == 24\n")
    assert f"could not register its blocks: yolo_cot {__version__} does not know" in done.stderr


@pytest.mark.parametrize(
    "first", ["ultralytics.nn.tasks", "ultralytics.data.utils", "ultralytics.models.yolo", "yolo_cot"]
)
def test_the_line_registers_everything_whatever_is_imported_first(first):
    from yolo_cot.plugin.startup.line import line

    models = "YOLO('yolo11n-cot.yaml')\nYOLO('yolov8n-cot-cls.yaml')\n"
    code = f"{line()}\nimport {first}\nfrom ultralytics import YOLO\n{models}"
    python(code + "from yolo_cot.plugin import registration\nassert not registration._waiting\n")


def test_an_environment_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    from yolo_cot.commands import disable, enable
    from yolo_cot.plugin.startup import line as place

    monkeypatch.setattr(place, "line_file", lambda: tmp_path / "no" / "such" / "folder" / "x.pth")
    with pytest.raises(ValueError, match=r"yolo-cot enable writes one line into .*x\.pth, which failed"):
        call(enable)
    with pytest.raises(ValueError, match="yolo-cot enable takes no arguments; got 'model'"):
        call(enable, model="x")
    with pytest.raises(ValueError, match="yolo-cot disable takes no arguments; got 'model'"):
        call(disable, model="x")


def test_checks_says_what_is_used():
    import ultralytics

    said = here("checks").stdout
    assert f"ultralytics   {ultralytics.__version__}, {Path(ultralytics.__file__).parent}" in said
    for word in ("self-check    passed; blocks registered", "CoTAttention", "C3k2Outlook", "yolo11-cot-outlook"):
        assert word in said
    assert "takes no arguments; got 'x.pt'" in here("checks", "x.pt", status=1).stderr
