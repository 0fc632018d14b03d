"""A model YAML may come from anybody: looking at it runs nothing that it says, and says what is wrong in a sentence."""

from __future__ import annotations

import json
import tracemalloc

import pytest
import torch
from torch import nn
from ultralytics.nn import tasks

from tests.processes import python
from yolo_cot.commands import lint as lint_verb
from yolo_cot.commands import show as show_verb
from yolo_cot.plugin.probe import probe
from yolo_cot.yaml_edit.insert import insert

MODEL = """\
nc: 2
{more}
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
  - {row}
head:
  - [-1, 1, Conv, [16, 3, 2]]
  - [[-1], 1, Detect, [nc]]
"""
ROW = "[-1, 1, Conv, [8, 3, 1]]"


def verbs():
    def put_in(path):
        insert(path, block="CoTAttention", at="0")

    def show(path):
        show_verb.main(show_verb.Arguments(model=str(path), imgsz=64))

    return {
        "lint": lambda path: lint_verb.main(lint_verb.Arguments(model=(str(path),))),
        "insert": put_in,
        "show": show,
    }


@pytest.fixture
def look(tmp_path, monkeypatch, capsys):
    """Write a YAML and put a verb to it; what it printed, or the text of its ValueError."""
    monkeypatch.chdir(tmp_path)

    def put(verb: str, row: str = ROW, more: str = "", text: str = "") -> str:
        path = tmp_path / "mine.yaml"
        path.write_text(text or MODEL.format(row=row, more=more), encoding="utf-8")
        capsys.readouterr()
        try:
            verbs()[verb](path)
        except ValueError as error:
            return str(error)
        return capsys.readouterr().out

    return put


@pytest.mark.parametrize("verb", ["lint", "insert", "show"])
def test_an_activation_is_not_run(verb, look, tmp_path):
    text = look(verb, more="activation: \"open('it_ran', 'w') and nn.SiLU()\"")
    assert not (tmp_path / "it_ran").exists()
    assert verb == "insert" or "run as Python" in text


def test_a_plain_activation_is_no_fault(look):
    for text in ("nn.SiLU()", "torch.nn.LeakyReLU(0.1)", "nn.Hardtanh(min_val=-1.0, max_val=1, inplace=True)"):
        assert "clean" in look("lint", more=f"activation: {text}")
        assert "Conv" in look("show", more=f"activation: {text}")


@pytest.mark.parametrize("verb", ["lint", "insert", "show"])
def test_a_model_class_as_a_row_is_not_built(verb, look, tmp_path):
    inner = tmp_path / "inner.yaml"
    inner.write_text(MODEL.format(row=ROW, more="activation: \"open('it_ran', 'w') and nn.SiLU()\""))
    text = look(verb, row=f"[-1, 1, DetectionModel, ['{inner}']]")
    assert not (tmp_path / "it_ran").exists()
    assert verb == "insert" or "DetectionModel is no layer" in text


@pytest.mark.parametrize("verb", ["lint", "insert", "show"])
def test_a_function_of_ultralytics_as_a_row_is_not_called(verb, look, monkeypatch):
    called = []
    monkeypatch.setattr(tasks, "check_requirements", lambda *args, **kwargs: called.append(args))
    look(verb, row="[-1, 1, check_requirements, [evil]]")
    # The parser would call both, being names of `torch.nn`.
    for name in ("factory_kwargs", "Sequential"):
        monkeypatch.setattr(nn, name, lambda *args, **kwargs: called.append(args))
        text = look(verb, row=f"[-1, 1, nn.{name}, []]")
        assert verb == "insert" or f"nn.{name} is no layer that takes and gives a tensor" in text
        monkeypatch.undo()
    assert called == []


@pytest.mark.parametrize("verb", ["lint", "insert", "show"])
@pytest.mark.parametrize("row", ["[resnet18, DEFAULT]", "[fasterrcnn_resnet50_fpn]", "[deeplabv3_resnet50, DEFAULT]"])
def test_no_weights_are_fetched(verb, row, look, monkeypatch):
    def fetch(*args, **kwargs):
        pytest.fail("weights were fetched")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetch)
    arguments = row.strip("[]")
    look(verb, row=f"[-1, 1, TorchVision, [512, {arguments}]]")


@pytest.mark.parametrize("verb", ["lint", "insert", "show"])
@pytest.mark.parametrize(
    "row",
    [
        "[-1, 1000000000, nn.Identity, []]",
        "[-1, 1, C3k2, [8, True, 1000000000.0]]",
        "[-1, 1, Conv, [1000000000000]]",
        "[-1, 1, nn.Upsample, [100000000]]",
        "[-1, 1, nn.Linear, [60000, 60000]]",
        "[-1, 1, Conv, ['99999999999']]",
        "[-1, 1, ResNetLayer, [8, 8, 1, False, 60000]]",
        "[-1, 1, Conv, [{}]]".format("x" * 5000),
    ],
)
def test_what_no_machine_could_hold_is_told(verb, row, look):
    text = look(verb, row=row)
    assert len(text) < 3000
    assert verb == "insert" or "is the most" in text or "cannot be built" in text or "size" in text


def test_text_that_a_terminal_could_act_on_is_shown_as_it_is(look, tmp_path, capsys):
    assert "[bold]" in look("show", row="[-1, 1, Conv, [8, 3, 1, null, 1, 1, '[bold]']]")
    path = (tmp_path / "mine.yaml").rename(tmp_path / "[red]mine.yaml")
    show_verb.main(show_verb.Arguments(model=str(path), imgsz=64, save=tmp_path / "graph.svg"))
    assert "[red]mine.yaml, 64 x 64" in capsys.readouterr().out
    assert (tmp_path / "graph.svg").is_file()


def test_a_bomb_of_aliases_is_refused(look):
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    for verb in verbs():
        assert "its aliases stand for more" in look(verb, text=bomb + MODEL.format(row="*a9", more=""))
        assert "is not valid YAML" in look(verb, text="a: &a [*a]\n" + MODEL.format(row="*a", more=""))


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: " + "[" * 5000, "nested more than 32 deep"),
        ("#" * 300_000, "a model YAML has 262144 at most"),
        ("a: 2001-13-45\n", "is not valid YAML: month must be"),
        ("a: !!python/object/apply:os.system ['touch it_ran']\n", "is not valid YAML"),
        (f"a: 0x{'f' * 5000}\n", "a whole number of 20000 bits"),
        ("? [a]\n: 1\n", "is not valid YAML"),
        ("", "is no model YAML"),
    ],
)
def test_a_strange_yaml_ends_in_a_sentence(text, message, look):
    for verb in verbs():
        assert message in look(verb, text=text + (MODEL.format(row=ROW, more="") if text else "[]"))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_what_is_no_text_ends_in_a_sentence(content, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content) if content else path.mkdir()
    for verb in verbs().values():
        with pytest.raises((ValueError, FileNotFoundError), match=r"mine\.yaml"):
            verb(path)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("nc: 2", "nc: [2]", "nc, the number of classes, is a whole number"),
        ("nc: 2", "", "nc, the number of classes, is a whole number"),
        ("nc: 2", "nc: 2\nscales: {n: [1, .nan, 8]}", "scales must be"),
        ("nc: 2", "nc: 2\nscales: {n: [1, 1e9, 8]}", "the first two at most 16"),
        ("nc: 2", "nc: 2\nscales: {1: [1, 1, 8]}", "scales must be"),
        ("nc: 2", "nc: 2\ndepth_multiple: xxx", "depth_multiple is a number above 0; got 'xxx'"),
        ("nc: 2", "nc: 2\ndepth_multiple: [1, 2]", "depth_multiple is a number above 0"),
        ("nc: 2", "nc: 2\nwidth_multiple: -1", "width_multiple is a number above 0"),
        ("nc: 2", "nc: 2\nblocks: 5", "blocks: is a list of names such as my_blocks.CBAM"),
        ("nc: 2", "nc: 2\nblocks: [../evil.Block]", "blocks: is a list of names such as my_blocks.CBAM"),
        ("[[-1], 1, Detect", "[[-1], 1, Conv", "must be a head"),
    ],
)
def test_wrong_settings_are_told(old, new, message, look):
    text = MODEL.format(row=ROW, more="").replace(old, new)
    for verb in ("lint", "show"):
        assert message in look(verb, text=text)


def test_a_text_for_the_depth_is_not_repeated_as_often_as_the_row():
    """It would be 20 GB."""
    rows = [[-1, 1, "Conv", [8, 3, 2]], [-1, 10**8, "Conv", [8]]]
    model = {"nc": 2, "depth_multiple": "x" * 200, "backbone": rows, "head": [[[-1], 1, "Detect", ["nc"]]]}
    tracemalloc.start()
    try:
        found = probe(model)
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()
    assert found[0].error == "its depth is scaled by what is no number."


class NeedsNumbers(nn.Module):
    """A module of somebody else's that reads a number out of what it gets."""

    def forward(self, x):
        return x * x.mean().item()


@pytest.fixture
def theirs(monkeypatch):
    monkeypatch.setattr(tasks, "NeedsNumbers", NeedsNumbers, raising=False)


def test_what_cannot_be_checked_without_numbers_is_no_fault(look, theirs, tmp_path):
    text = look("lint", row="[-1, 1, NeedsNumbers, []]")
    assert text.splitlines()[0].endswith("mine.yaml: clean")
    assert "row 1 (NeedsNumbers)" in text
    assert "was not checked, nor what reads it" in text
    edited = insert(tmp_path / "mine.yaml", block="CoTAttention", at="0,after=NeedsNumbers")
    assert [row.index for row in edited.rows] == [1, 3]


def test_blocks_of_the_users_are_not_imported_and_their_rows_are_no_fault(look, tmp_path):
    (tmp_path / "evil_blocks.py").write_text("open('it_ran', 'w').close()")
    for verb in verbs():
        text = look(verb, row="[-1, 1, Mine, []]", more="blocks: [evil_blocks.Mine]")
        assert not (tmp_path / "it_ran").exists()
        assert verb != "lint" or ("mine.yaml: clean" in text and "row 1 (Mine) was not checked" in text)
    assert "Mine comes from blocks:, and looking at a model imports nothing; trust=True does." in text


@pytest.mark.parametrize("count", [12, pytest.param(1000, marks=pytest.mark.slow)])
def test_hostile_yamls_run_nothing_and_end_in_sentences(count):
    """Each goes through lint, insert and show, while an audit hook watches."""
    code = "import sys; from tests.yaml_edit.yaml_fuzz import main; main(int(sys.argv[1]))"
    said = python(code, count, timeout=3000).stdout
    ends = json.loads(said.partition("ends: ")[2])
    done = {name: number for name, number in ends.items() if name.endswith(" done")}
    assert set(done) == {"lint done", "insert done", "replace done", "show done"}
    # Most are refused, in many ways; some are harmless, and go through.
    assert sum(done.values()) > 4 * count // 25
    assert len(ends) > 20
