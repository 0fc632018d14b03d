"""The `yolo-cot` command, through its real entry point in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from yolo_cot import cli
from yolo_cot.cli import VERBS


def yolo_cot(*words: str, cwd: Path, code: int = 0) -> str:
    """Run the command; return stdout and stderr together after checking the exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "yolo_cot", *words], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    return output


def test_models_lists_every_config_beside_the_plain_one(tmp_path):
    from yolo_cot.paths import configs

    output = yolo_cot("models", "scale=n", "imgsz=320", cwd=tmp_path)
    assert "yolo11 (plain)" in output
    for path in configs():
        assert path.stem in output
    assert "CoTAttention at row 11, OutlookAttention at row 21" in output


@pytest.mark.parametrize(
    "words, message",
    [
        (["models", "scale=q"], "needs scale from the letters nsmlx; got 'q'"),
        (["models", "colour=red"], "takes scale=, imgsz= and fused=; got colour"),
        (["models", "imgsz=8"], "imgsz of 32 pixels or more; got 8"),
        (["models", "scale=n", "fused=2"], "fused=True or fused=False; got 2"),
        (["bench", "rounds=0"], "whole number of 1 or more for rounds; got 0"),
        (["bench", "block=Conv"], "needs block from CoTAttention, CoTBlock, CoXtBlock, OutlookAttention; got 'Conv'"),
        (["bench", "speed=1"], "got speed"),
        (["detect", "train", "model=missing.yaml", "data=coco8.yaml"], "missing.yaml"),
    ],
)
def test_a_wrong_argument_ends_with_one_line_and_status_1(words, message, tmp_path):
    output = yolo_cot(*words, cwd=tmp_path, code=1)
    assert message in output
    assert "Traceback" not in output


def test_a_wrong_row_ends_with_one_line_that_names_it(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "nc: 2\nbackbone:\n  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, CoTAtention, []]\n"
        "head:\n  - [[1], 1, Detect, [nc]]\n"
    )
    output = yolo_cot("detect", "train", "model=mine.yaml", "data=coco8.yaml", cwd=tmp_path, code=1)
    assert "mine.yaml row 1 names 'CoTAtention'. Did you mean 'CoTAttention'?" in output
    assert "Traceback" not in output


def test_what_is_not_ours_goes_to_ultralytics(tmp_path):
    from ultralytics import __version__

    assert __version__ in yolo_cot("version", cwd=tmp_path)


def test_predictions_are_saved_as_yolo_saves_them(tmp_path):
    """Ultralytics saves only under a command that is called yolo."""
    from ultralytics import YOLO
    from ultralytics.utils import ASSETS

    YOLO("yolo11n-cot.yaml").save(tmp_path / "model.pt")
    words = ["model=model.pt", f"source={ASSETS / 'bus.jpg'}", "imgsz=64", f"project={tmp_path / 'out'}"]
    output = yolo_cot("detect", "predict", *words, cwd=tmp_path)
    assert "Results saved to" in output
    assert len(list(tmp_path.rglob("bus.jpg"))) == 1


def test_a_refused_ultralytics_is_told_in_one_line_and_checks_still_runs(tmp_path):
    from ultralytics import __version__

    (tmp_path / "sitecustomize.py").write_text("import ultralytics\nultralytics.__version__ = '9.9.9'\n")
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    for words, code in ((["models", "scale=n"], 1), (["checks"], 1)):
        command = [sys.executable, "-m", "yolo_cot", *words]
        done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        assert "found 9.9.9" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert __version__ != "9.9.9"


def test_help_names_our_verbs_and_ultralytics_own(tmp_path):
    output = yolo_cot("help", cwd=tmp_path)
    assert all(f"yolo-cot {verb}" in output for verb in VERBS)
    assert "yolo TASK MODE ARGS" in output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_of_its_arguments(verb, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["yolo-cot", verb, "--help"])
    cli.main()
    output = capsys.readouterr().out
    assert f"yolo-cot {verb}" in output
    assert ("Arguments, as key=value:" in output) == (verb not in {"enable", "disable", "checks"})
    assert not set("`") & set(output)


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
    output = yolo_cot(*words, cwd=tmp_path)
    assert "geometric mean" in output
    lines = (tmp_path / "out" / "blocks.csv").read_text().splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("speedup,of_conv,of_limit,memory_ratio")
    assert (tmp_path / "out" / "blocks.png").stat().st_size > 1000


def test_bench_compares_whole_models_in_both_runtimes(tmp_path):
    pytest.importorskip("onnxruntime")
    yolo_cot("bench", "model=yolo11n-cot.yaml", "imgsz=64", "rounds=1", "out=out", cwd=tmp_path)
    lines = (tmp_path / "out" / "models.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["yolo11n.yaml", "torch"],
        ["yolo11n-cot.yaml", "torch"],
        ["yolo11n.yaml", "onnxruntime"],
        ["yolo11n-cot.yaml", "onnxruntime"],
    ]
