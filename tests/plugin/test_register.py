"""Blocks from outside: what may be registered, how it is placed, and one sentence for each wrong use."""

from __future__ import annotations

import re
import sys

import pytest
import torch
import yaml
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.nn.modules import C3k2, Conv
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import get_flops

import yolo_cot
from tests.entry_points import own_block
from tests.processes import python
from yolo_cot.commands import lint as lint_command
from yolo_cot.commands import show
from yolo_cot.nn.gate import Gated
from yolo_cot.plugin import gates
from yolo_cot.plugin.bundle import write
from yolo_cot.plugin.catalog import BLOCKS, find, packages, table
from yolo_cot.plugin.catalog.files import load
from yolo_cot.plugin.row_errors import RowError
from yolo_cot.yaml_edit.insert import insert
from yolo_cot.yaml_edit.lint import lint, lint_model
from yolo_cot.yaml_edit.lint.notes import notes

from .models import build, with_row

MORE = """

class Shrinks(nn.Module):
    def __init__(self, c1):
        super().__init__()
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        return self.pool(x)


class Counted(nn.Module):
    def __init__(self, c1):
        super().__init__()

    def macs(self, inputs, output):
        return 1000 * output.numel()

    def forward(self, x):
        return x * 2


class Late(nn.Module):
    def __init__(self, kernel_size=3, c1=8):
        super().__init__()


class Big(nn.Module):
    def __init__(self, c1, c2, k=1):
        super().__init__()


def function(c1):
    return nn.Identity()
"""


@pytest.fixture
def my(tmp_path):
    """The module of a file of the user's."""
    with own_block.imported(tmp_path, own_block.MORE + MORE) as module:
        yield module


def test_a_registered_block_stands_in_a_row_behind_its_gate(my):
    assert yolo_cot.register(my.CBAM) is my.CBAM
    model = build([-1, 4, "CBAM", [4, {"gate": 0.5}]], "s")
    one = model.model[2][0]
    assert (len(model.model[2]), type(one), type(one.block)) == (2, Gated, my.CBAM)
    assert one.block.channel[0].out_channels == 64 // 4
    x = torch.randn(1, 64, 8, 8)
    assert torch.allclose(one(x), x + 0.5 * one.block(x))
    assert set(gates.gates(model)) == {"2.0.CBAM", "2.1.CBAM"}
    plain = build([-1, 1, "CBAM", []]).model[2]
    assert plain.gamma is None
    assert torch.equal(plain(x[:, :32]), plain.block(x[:, :32]))


def test_without_a_gate_the_row_is_the_class_itself(my):
    yolo_cot.register(my.CBAM, gate=False)
    assert type(build([-1, 1, "CBAM", [{"ratio": 8}]]).model[2]) is my.CBAM
    with pytest.raises(RowError, match="has no argument 'gate'"):
        build([-1, 1, "CBAM", [{"gate": 0.0}]])


@pytest.mark.parametrize("scale, channels", [("n", 16), ("x", 96)])
def test_a_class_that_changes_channels_counts_as_conv(my, scale, channels):
    yolo_cot.register(my.Mixer)
    assert BLOCKS["Mixer"].counts_as is Conv
    model = build([-1, 1, "Mixer", [64, 1]], scale)
    assert model.model[2].channels.conv.out_channels == channels
    assert model(torch.zeros(1, 3, 64, 64)) is not None


@pytest.mark.parametrize("scale", ["n", "x"])
def test_a_class_that_counts_as_c3k2_is_placed_as_one(my, scale):
    ours = build([-1, 4, "C3k2Mine", [256, False, {"scale": 2.0}]], scale).model
    stock = build([-1, 4, "C3k2", [256, False]], scale).model
    assert ours[2].scale == 2.0
    assert [type(m) for m in ours[2].m] == [type(m) for m in stock[2].m]
    assert ours[-1].legacy is False
    source, target = build([-1, 4, "C3k2", [256, False]], scale), build([-1, 4, "C3k2Mine", [256, False]], scale)
    target.load(source, verbose=False)
    assert all(torch.equal(v, target.state_dict()[k]) for k, v in source.state_dict().items())


def test_operations_are_counted_where_the_class_tells_them(my):
    yolo_cot.register(my.Counted)
    model = build([-1, 1, "Counted", []])
    rest = get_flops(build([-1, 1, "nn.Identity", []]), 64)
    assert get_flops(model, 64) - rest == pytest.approx(2e-9 * 1000 * 32 * 16 * 16, rel=1e-6)


def test_uninstalling_leaves_nothing_and_installing_again_knows_it(my):
    classes = [my.CBAM, my.Mixer, my.C3k2Mine, my.Counted]
    rows = [[-1, 1, "CBAM", []], [-1, 1, "Mixer", [64]], [-1, 1, "C3k2Mine", [64]], [-1, 1, "Counted", []]]
    yolo_cot.uninstall()
    before = set(vars(tasks))
    allowed = getattr(torch.serialization, "get_safe_globals", None)  # torch before 2.4 has no such list
    yolo_cot.install()
    for cls in classes:
        yolo_cot.register(cls, counts_as=C3k2 if cls is my.C3k2Mine else None)
    for row in rows:
        build(row)
    yolo_cot.uninstall()
    try:
        from thop.profile import register_hooks

        assert set(vars(tasks)) == before
        assert not set(classes) & set(register_hooks)
        assert allowed is None or not set(classes) & set(allowed())
        for row in rows:
            with pytest.raises(KeyError, match=row[2]):
                build(row)
    finally:
        yolo_cot.install()
    assert allowed is None or set(classes) <= set(allowed())
    for row in rows:
        build(row)


def test_uninstalling_takes_the_folder_of_a_yaml_off_pythons_path(tmp_path):
    """A YAML and a checkpoint both let Python find the file beside them."""
    code = """
import sys, torch
before = sys.path[:]
import yolo_cot
from ultralytics import YOLO
YOLO(sys.argv[1]).save(sys.argv[2])
assert sys.path == [*before, sys.argv[3]], sys.path
yolo_cot.uninstall()
assert sys.path == before, sys.path
"""
    there = tmp_path / "there"
    python(code, own_block.place(there), there / "m.pt", there, cwd=tmp_path)
    read = code.replace("YOLO(sys.argv[1]).save(sys.argv[2])", "YOLO(sys.argv[2])")
    python(read, "", there / "m.pt", there, cwd=tmp_path)


def inside():
    class Local(nn.Module):
        def __init__(self, c1):
            super().__init__()

    return Local


class Main(nn.Module):
    def __init__(self, c1):
        super().__init__()


Main.__module__ = "__main__"


@pytest.mark.parametrize(
    "what, error, message",
    [
        (lambda my: my.function, TypeError, "takes a class of torch.nn.Module; got <function function"),
        (lambda my: lambda c1: nn.Identity(), TypeError, "takes a class of torch.nn.Module; got <function"),
        (lambda my: int, TypeError, "takes a class of torch.nn.Module; got <class 'int'>"),
        (lambda my: inside(), ValueError, r"inside.<locals>.Local is defined inside something else.* my_blocks.py"),
        (
            lambda my: Main,
            ValueError,
            "Main is defined in the script or notebook that runs, where no other",
        ),
        (lambda my: my.Late, TypeError, r"channels of its input as first argument, c1; got Late\(kernel_size, c1\)"),
        (
            lambda my: type("CoTAttention", (nn.Module,), {}),
            ValueError,
            "this package has a module that is called CoT",
        ),
        (lambda my: type("C3k2", (nn.Module,), {}), ValueError, "Ultralytics has a module that is called C3k2"),
    ],
)
def test_what_is_no_block_is_told_in_one_sentence(my, what, error, message):
    with pytest.raises(error, match=message) as caught:
        yolo_cot.register(what(my))
    assert len(str(caught.value)) < 300


def test_what_does_not_fit_a_stock_class_is_told(my):
    with pytest.raises(
        TypeError, match=r"C3k2 is built as \(c1, c2, n, c3k, …\), and so must .*; got Big\(c1, c2, k\)"
    ):
        yolo_cot.register(my.Big, counts_as=C3k2)
    with pytest.raises(TypeError, match="counts_as= is a class that Ultralytics' YAMLs name, such as C3k2; got 'C3k3'"):
        yolo_cot.register(my.Big, counts_as="C3k3")
    with pytest.raises(TypeError, match="A gate adds a block's input to its output; Big changes channels"):
        yolo_cot.register(my.Big, gate=True)


def test_two_classes_of_one_name_are_told(my):
    yolo_cot.register(my.CBAM)
    yolo_cot.register(my.CBAM)  # the same again is no clash
    other = type("CBAM", (nn.Module,), {"__init__": my.CBAM.__init__, "__module__": "another_module"})
    with pytest.raises(
        ValueError, match=r"CBAM is a block already, of my_blocks_.*; another one comes from another_mod"
    ):
        yolo_cot.register(other)


def test_a_block_that_changes_the_size_is_told_by_file_and_row(my):
    yolo_cot.register(my.Shrinks)
    with pytest.raises(RowError, match=r"mine.yaml row 2 \(Shrinks\): .* keeps channels .*, and gives \(1, 32, 4, 4\)"):
        build([-1, 1, "Shrinks", []])


def yaml_file(folder, blocks, name="mine.yaml"):
    rows = with_row([-1, 1, "CBAM", []], blocks=blocks)
    del rows["yaml_file"]
    (folder / name).write_text(yaml.safe_dump(rows))
    return folder / name


@pytest.mark.parametrize(
    "text, named, message",
    [
        (None, "gone_file.CBAM", r"mine.yaml names gone_file.CBAM; there is no gone_file.py in .*, nor a module"),
        ("import no_such_library\\n", "CBAM", "importing .* failed: ModuleNotFoundError: No module named 'no_such"),
        ("raise SystemExit(3)\\n", "CBAM", "importing .* failed: SystemExit: 3"),
        ("def\\n", "CBAM", "importing .* failed: SyntaxError"),
        ("CBAM = 3\\n", "CBAM", "yolo_cot.register takes a class of torch.nn.Module; got 3"),
        ("from torch.nn import Conv2d as Other\\n", "CBAM", r"has no CBAM. It has Other"),
    ],
)  # fmt: skip
def test_a_file_that_brings_no_block_is_told_in_one_sentence(tmp_path, text, named, message):
    name = f"wrong_{tmp_path.name}"
    if text is not None:
        (tmp_path / f"{name}.py").write_text(text.replace("\\n", "\n"))
        named = f"{name}.{named}"
    with pytest.raises(ValueError, match=message) as caught:
        DetectionModel(str(yaml_file(tmp_path, [named])), verbose=False)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "mine.yaml") in str(caught.value)


def test_two_files_of_one_name_are_told(tmp_path):
    name = f"twice_{tmp_path.name}"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(own_block.text())
        yaml_file(tmp_path / folder, [f"{name}.CBAM"])
    try:
        DetectionModel(str(tmp_path / "a" / "mine.yaml"), verbose=False)
        with pytest.raises(ValueError, match=rf"{name} in .*/b has the name of .*/a/{name}.py, which Python imports"):
            DetectionModel(str(tmp_path / "b" / "mine.yaml"), verbose=False)
    finally:
        table.remove("CBAM")


@pytest.mark.parametrize("blocks", [3, ["CBAM"], ["a.b c"], [["a.B"]], {"a": "B"}, ["../a.B"]])
def test_the_key_is_a_list_of_names(tmp_path, blocks):
    with pytest.raises(ValueError, match=r"blocks: is a list of names such as my_blocks.CBAM, module and class; got"):
        DetectionModel(str(yaml_file(tmp_path, blocks)), verbose=False)


def test_a_dictionary_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "it_ran_blocks.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = with_row([-1, 1, "CBAM", []], blocks=["it_ran_blocks.CBAM"])
    with pytest.raises(RowError, match=r"row 2 names 'CBAM', which is to come from it_ran_blocks.CBAM. Only opening"):
        DetectionModel(rows, verbose=False)
    file = yaml_file(tmp_path, ["it_ran_blocks.CBAM"])
    assert not lint(file)
    assert "row 2 (CBAM) was not checked, nor what reads it: CBAM comes from blocks:, and looking" in str(notes(file))
    assert "it_ran_blocks" not in sys.modules


def test_a_bundle_holds_no_block_of_the_users(my, tmp_path):
    yolo_cot.register(my.CBAM)
    model = DetectionModel(with_row([-1, 1, "CBAM", []], blocks=[f"{my.__name__}.CBAM"]), verbose=False)
    torch.save({"model": model, "train_args": {"task": "detect"}}, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=r"names blocks of the user's, .*CBAM.*; a bundle runs no code"):
        write(tmp_path / "m.pt")


def test_a_package_announces_blocks_by_an_entry_point(my, monkeypatch, tmp_path):
    point = packages.EntryPoint("CBAM", f"{my.__name__}:CBAM", packages.GROUP)
    wrong = packages.EntryPoint("Wrong", "no_such_package:Wrong", packages.GROUP)
    not_one = packages.EntryPoint("Function", "os.path:join", packages.GROUP)
    (tmp_path / "package_that_ends.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    ends = packages.EntryPoint("Ends", "package_that_ends:Ends", packages.GROUP)
    other = packages.EntryPoint("Twice", "other_package:Twice", packages.GROUP)
    said = {"CBAM": [point], "Wrong": [wrong], "Twice": [wrong, other], "Function": [not_one], "Ends": [ends]}
    said["Counted"] = [point]
    monkeypatch.setattr(packages, "announced", lambda: {n: {p.value: p for p in of} for n, of in said.items()})
    assert type(build([-1, 1, "CBAM", []]).model[2].block) is my.CBAM
    with pytest.raises(RowError, match=r"row 2: Wrong is announced by the package .*, whose import failed: Mod"):
        build([-1, 1, "Wrong", []])
    assert find("Nobodys") is None
    for name, reason in (
        ("Twice", "Twice is announced as no_such_package:Wrong and as other_package:Twice; one name means one block"),
        ("Function", "Function is announced by the package .* as os.path:join: yolo_cot.register takes a class of"),
        ("Ends", "Ends is announced by .*, whose import failed: SystemExit: 3"),
        ("Counted", "announces Counted, and .*:CBAM is a block of another name"),
    ):
        with pytest.raises(RowError, match=f"row 2: .*{reason}"):
            build([-1, 1, name, []])
        assert re.search(reason, str(lint_model(with_row([-1, 1, name, []]))[0]))


def test_a_stock_model_looks_at_no_entry_points():
    code = """
import yolo_cot
from yolo_cot.plugin.catalog import packages
packages.announced = lambda: 1 / 0
from ultralytics.nn.tasks import DetectionModel
DetectionModel("yolo11n-cot.yaml", verbose=False)
DetectionModel("yolo11n.yaml", verbose=False)
"""
    python(code)


def test_insert_takes_the_path_of_a_class_and_writes_it(my, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "yolo11-mine.yaml"
    insert("yolo11.yaml", out, block=f"{my.__name__}.CBAM", at="P5", arguments={"gate": 0.0})
    assert f"\nblocks: [{my.__name__}.CBAM] #" in out.read_text()
    assert "- [-1, 1, CBAM, [{gate: 0.0}]] # 11" in out.read_text()
    assert not lint(out)
    # A second block of the same kind goes into the same line.
    second = tmp_path / "yolo11-two.yaml"
    insert(out, second, block=f"{my.__name__}.Counted", at="neck.P3")
    assert f"\nblocks: [{my.__name__}.CBAM, {my.__name__}.Counted] #" in second.read_text()
    table.remove("CBAM")
    model = YOLO(str(tmp_path / "yolo11n-two.yaml")).model
    assert [type(m.block).__name__ for m in model.modules() if isinstance(m, Gated)] == ["CBAM", "Counted"]


def test_a_composite_of_the_users_takes_the_place_of_c3k2(my, tmp_path):
    out = tmp_path / "yolo11-swap.yaml"
    insert("yolo11.yaml", out, replace=f"C3k2:{my.__name__}.C3k2Mine")
    model = YOLO(str(tmp_path / "yolo11n-swap.yaml")).model
    assert sum(type(m).__name__ == "C3k2Mine" for m in model.model) == 8


def test_load_is_what_the_command_line_calls(my, tmp_path):
    assert load(f"{my.__name__}.Mixer", tmp_path).cls is my.Mixer


def test_lint_and_show_look_into_the_file_when_they_are_told_to_trust_it(my, tmp_path, capsys):
    out = tmp_path / "yolo11-mine.yaml"
    insert("yolo11.yaml", out, block=f"{my.__name__}.CBAM", at="P5", arguments={"gate": 0.0})
    table.remove("CBAM")
    lint_command.main(lint_command.Arguments(model=(str(out),)))
    assert "row 11 (CBAM) was not checked" in capsys.readouterr().out
    with pytest.raises(
        ValueError, match=r"CBAM comes from blocks:, and looking at a model imports nothing; trust=True"
    ):
        show.main(show.Arguments(model=str(out)))
    show.main(show.Arguments(model=str(out), trust=True, imgsz=64))
    assert re.search(r"\+11 .*CBAM", capsys.readouterr().out)
    table.remove("CBAM")
    out.write_text(out.read_text().replace("{gate: 0.0}", "{gat: 0.0}"))
    with pytest.raises(ValueError, match=r"CBAM has no argument 'gat'. Did you mean 'gate'"):
        lint_command.main(lint_command.Arguments(model=(str(out),), trust=True))
