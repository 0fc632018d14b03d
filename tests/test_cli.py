"""The `yolo-cot` command, through its real entry point in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.processes import YOLO_COT, environment, here, python
from yolo_cot import cli
from yolo_cot.commands.arguments import read
from yolo_cot.commands.verbs import VERBS, load


def yolo_cot(*words: str, cwd: Path, code: int = 0) -> str:
    """Run the command; return stdout and stderr together after checking the exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "yolo_cot", *words], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    return output


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run the command in this process; what it prints, and the line that it ends with ("" where it ends well)."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["yolo-cot", *words])
        monkeypatch.setattr("ultralytics.cfg.ARGV", sys.argv)
        end = ""
        try:
            cli.main()
        except SystemExit as stop:
            end = str(stop.code)
        return capsys.readouterr().out, end

    return run


@pytest.mark.parametrize(
    "words, message",
    [
        (["models", "scale=q"], "needs scale from the letters nsmlx; got scale=q"),
        (["models", "colour=red"], "yolo-cot models has no argument 'colour'. Example: yolo-cot models scale=ns"),
        (["models", "imgsz=8"], "needs imgsz as a whole number of at least 32; got imgsz=8"),
        (["models", "scale=n", "fused=2"], "needs fused as True or False; got fused=2"),
        (["bench", "rounds=0"], "rounds as a whole number of at least 1; got rounds=0"),
        (["bench", "block=Conv"], "block as one of CoTAttention, CoTBlock, CoXtBlock, OutlookAttention, or several"),
        (["bench", "speed=1"], "has no argument 'speed'"),
        (["bench", "scale=s", "runtime=onnxruntime"], "in onnxruntime at scale n on the CPU only"),
        (["detect", "train", "model=missing.yaml", "data=coco8.yaml"], "missing.yaml"),
    ],
)
def test_a_wrong_argument_ends_with_one_line(words, message, run):
    _, end = run(*words)
    assert end.startswith("yolo-cot: ")
    assert message in end


def test_a_wrong_argument_ends_with_status_1_and_no_traceback(tmp_path):
    output = yolo_cot("models", "scale=q", cwd=tmp_path, code=1)
    assert output.startswith("yolo-cot: ")
    assert "Traceback" not in output


def test_importing_the_package_imports_neither_torchvision_nor_the_compiler(tmp_path):
    """They would double the time that every command takes to start."""
    code = "import sys, yolo_cot; print([name for name in ('torchvision', 'torch._dynamo') if name in sys.modules])"
    assert python(code, cwd=tmp_path).stdout.strip() == "[]"


def test_a_wrong_row_ends_with_one_line_that_names_it(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "nc: 2\nbackbone:\n  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, CoTAtention, []]\n"
        "head:\n  - [[1], 1, Detect, [nc]]\n"
    )
    done = here("detect", "train", "model=mine.yaml", "data=coco8.yaml", cwd=tmp_path, status=1)
    output = done.stdout + done.stderr
    assert "mine.yaml row 1 names 'CoTAtention'. Did you mean 'CoTAttention'?" in output
    assert "Traceback" not in output


def test_what_is_not_ours_goes_to_ultralytics(run, caplog):
    _, end = run("cfg")
    assert not end
    assert "warmup_epochs:" in caplog.text


@pytest.mark.parametrize("word", ["--version", "-v", "version"])
def test_the_version_names_what_it_works_with(word, run):
    import torch
    import ultralytics

    import yolo_cot

    expected = f"yolo-cot {yolo_cot.__version__} (ultralytics {ultralytics.__version__}, torch {torch.__version__})\n"
    assert run(word) == (expected, "")


@pytest.mark.parametrize(
    "words, message",
    [
        (["insrt", "base=yolo11.yaml"], "there is no command 'insrt'. Did you mean 'insert'? yolo-cot help names all."),
        (["abalte"], "there is no command 'abalte'. Did you mean 'ablate'? yolo-cot help names all."),
        (["help", "insrt"], "there is no command 'insrt'. Did you mean 'insert'? yolo-cot help names all."),
        (["train", "yolo11n-cot"], "'yolo11n-cot' has no place here. Write model=yolo11n-cot.yaml."),
        (["detect", "train", "yolo11s_cot.yaml"], "Write model=yolo11s-cot.yaml."),
        (["detect", "train", "model=yolo11-cot"], "Did you mean 'yolo11-cot.yaml'?"),
        (["detect", "train", "model=yolo11n_cot.yaml"], "Did you mean 'yolo11n-cot.yaml'?"),
        (["detect", "trian", "model=yolo11n.yaml"], "'trian' is not a valid YOLO argument. Similar arguments"),
        (["frobnicate"], "'frobnicate' is not a valid YOLO argument. yolo-cot help names all commands."),
    ],
)
def test_what_is_mistyped_gets_one_line_with_what_was_probably_meant(words, message, run, caplog):
    out, end = run(*words)
    assert "yolo TASK MODE ARGS" not in out + caplog.text, "pages of help hide the line"
    plain = re.sub(r"\x1b\[\d+m", "", end)
    assert plain.startswith("yolo-cot: ")
    assert message in plain
    assert "\n" not in plain


@pytest.mark.parametrize("words", [[], ["help"], ["help", "benchmark"], ["detect", "--help"]])
def test_who_asks_for_help_gets_ultralytics_own(words, run, caplog):
    _, end = run(*words)
    assert not end
    assert "yolo TASK MODE ARGS" in caplog.text


@pytest.mark.parametrize("verb", ["checks", "help", "cfg"])  # by `print`, by both, and by Ultralytics' logger alone
def test_a_reader_that_goes_away_leaves_no_traceback(verb, tmp_path):
    command = [sys.executable, "-c", YOLO_COT, verb]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_predictions_are_saved_as_yolo_saves_them(tmp_path):
    """Ultralytics saves only under a command that is called yolo."""
    from ultralytics import YOLO
    from ultralytics.utils import ASSETS

    YOLO("yolo11n-cot.yaml").save(tmp_path / "model.pt")
    words = ["model=model.pt", f"source={ASSETS / 'bus.jpg'}", "imgsz=64", f"project={tmp_path / 'out'}"]
    output = here("detect", "predict", *words, cwd=tmp_path).stdout
    assert "Results saved to" in output
    assert len(list(tmp_path.rglob("bus.jpg"))) == 1


def test_a_refused_ultralytics_is_told_in_one_line_and_checks_still_runs(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import ultralytics.nn.tasks as tasks\ntasks.CoTAttention = object\n")
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    for verb in ("models", "checks"):
        command = [sys.executable, "-m", "yolo_cot", verb]
        done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True, timeout=300)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "already has a module named CoTAttention" in done.stderr
        assert "Traceback" not in done.stderr
        assert ("self-check    failed" in done.stdout) == (verb == "checks")


def test_help_names_our_verbs_and_ultralytics_own(tmp_path):
    output = here("help", cwd=tmp_path).stdout
    assert all(f"yolo-cot {verb}" in output for verb in VERBS)
    assert "yolo TASK MODE ARGS" in output


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("order", [("{}", "help"), ("help", "{}"), ("{}", "--help")])
def test_every_verb_tells_of_its_arguments(verb, order, run):
    output, end = run(*(word.format(verb) for word in order))
    assert not end
    assert output.startswith(f"yolo-cot {verb}: {VERBS[verb]}")
    assert ("Arguments, as key=value:" in output) == (verb not in {"enable", "disable", "checks"})
    example = output.split("Example: ")[1].split()
    assert example[:2] == ["yolo-cot", verb]
    read(load(verb).Arguments, example[2:])


@pytest.mark.slow
def test_bench_checks_parity_writes_a_table_and_draws_it(tmp_path):
    words = [
        "bench",
        "block=OutlookAttention",
        "scale=n",
        "level=P5",
        "batch=1",
        "rounds=1",
        "runtime=torch",
        "out=out",
    ]
    output = here(*words, cwd=tmp_path).stdout
    assert "geometric" in output
    lines = (tmp_path / "out" / "blocks.csv").read_text().splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("speedup,of_conv,of_limit,memory_ratio")
    assert (tmp_path / "out" / "blocks.png").stat().st_size > 1000


@pytest.mark.slow
def test_bench_compares_whole_models_in_both_runtimes(tmp_path):
    pytest.importorskip("onnxruntime")
    here("bench", "model=yolo11n-cot.yaml", "imgsz=64", "rounds=1", "out=out", cwd=tmp_path)
    lines = (tmp_path / "out" / "models.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["yolo11n.yaml", "torch"],
        ["yolo11n-cot.yaml", "torch"],
        ["yolo11n.yaml", "onnxruntime"],
        ["yolo11n-cot.yaml", "onnxruntime"],
    ]
