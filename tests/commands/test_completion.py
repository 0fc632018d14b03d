"""completion: what the shells offer are the verbs and the arguments that they declare."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.commands.verbs import call
from yolo_cot.commands import completion
from yolo_cot.commands.arguments.tables import lines
from yolo_cot.commands.verbs import VERBS, load


@pytest.fixture
def script(capsys, tmp_path):
    """Write the script of a shell to a file."""

    def script(shell):
        call(completion, shell=shell)
        file = tmp_path / f"completion.{shell}"
        file.write_text(capsys.readouterr().out)
        return file

    return script


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_verb_and_argument_is_known(shell, script):
    text = script(shell).read_text()
    for verb in VERBS:
        assert verb in text
        for line in lines(load(verb).Arguments):
            assert line.name == "..." or line.name in text
    assert "warmup_epochs" in text


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_shell_takes_the_script(shell, script):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", script(shell)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    "line, offered",
    [
        ("yolo-cot ins", ["insert"]),
        ("yolo-cot detec", ["detect"]),
        ("yolo-cot help sh", ["show"]),
        ("yolo-cot show im", ["imgsz="]),
        ("yolo-cot bench level=P", ["P3", "P4", "P5"]),
        ("yolo-cot models fused=T", ["True"]),
        ("yolo-cot ablate warmup_e", ["warmup_epochs="]),
        ("yolo-cot detect train warmup_e", ["warmup_epochs="]),
        ("yolo-cot show model=here", ["here.yaml"]),
    ],
)
def test_bash_offers_what_fits(line, offered, script, tmp_path):
    (tmp_path / "here.yaml").touch()
    words = " ".join(f"'{word}'" for word in line.replace("=", " = ").split())
    code = f"""
source {script("bash")}
compopt() {{ :; }}  # works in an interactive shell only
COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_yolo_cot
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split() == offered
