"""A block of the user's goes into every base: built, run, and every tensor of the base's weights in its row."""

from __future__ import annotations

import re

import pytest
import torch
import yaml
from ultralytics import RTDETR, YOLO

from tests.entry_points import own_block
from tests.live import live, output, picture
from tests.yaml_edit.marked import landed, loaded, marked, rowwise
from yolo_cot.nn.gate import Gated
from yolo_cot.plugin.catalog import table
from yolo_cot.plugin.stock import stock_files
from yolo_cot.yaml_edit.insert import insert
from yolo_cot.yaml_edit.lint import lint

# A base, the name of the file with the block, and the name that asks for it.
BASES = {
    "yolo11": ("yolo11-mine.yaml", "yolo11n-mine.yaml"),
    "yolov8-seg": ("yolov8-mine-seg.yaml", "yolov8n-mine-seg.yaml"),
    "yolo26": ("yolo26-mine.yaml", "yolo26n-mine.yaml"),
    "rtdetr-l": ("rtdetr-l-mine.yaml", "rtdetr-l-mine.yaml"),
}


SCALED = """

@yolo_cot.register(counts_as=C3k2)
class Scaled(C3k2):
    def __init__(self, c1, c2, n=1, c3k=False, e=0.5, scale=1.0):
        super().__init__(c1, c2, n, c3k, e)
"""


@pytest.fixture
def my(tmp_path):
    with own_block.imported(tmp_path, own_block.MORE + SCALED) as module:
        yield module


def open_model(base, file):
    return (RTDETR if "rtdetr" in base else YOLO)(file).model


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", ["CBAM", "Mixer", "C3k2Mine"])
def test_it_is_inserted_runs_and_takes_every_tensor_of_the_base(kind, base, my, tmp_path):
    if base not in {path.stem for path in stock_files()}:
        pytest.skip(f"this Ultralytics ships no {base}.yaml")
    out, asked = (tmp_path / name for name in BASES[base])
    arguments = {"gate": 0.0} if kind == "CBAM" else {}
    # Behind the 2048 channels of RT-DETR's P5 no row that says its channels can stand: its widest says 1024.
    at = "neck.P4" if "rtdetr" in base and kind != "CBAM" else "P5"
    edited = insert(f"{base}.yaml", out, block=f"{my.__name__}.{kind}", at=at, arguments=arguments)
    assert lint(out) == []
    if kind != "C3k2Mine":  # a decorator registers that one when its file is imported, so not again here
        table.remove(kind)  # the line blocks: brings it back
    assert yaml.safe_load(out.read_text())["blocks"] == [f"{my.__name__}.{kind}"]
    model = open_model(base, asked)
    (row,) = (row.index for row in edited.rows)
    assert isinstance(model.model[row], Gated if kind == "CBAM" else getattr(my, kind))
    assert sum(type(m).__name__ == kind for m in model.modules()) == 1
    if "rtdetr" not in base:
        assert model.yaml["scale"] == "n"

    source = marked(open_model(base, f"{base}.yaml" if "rtdetr" in base else asked.name.replace("-mine", "")))
    found = landed(source, loaded(open_model(base, asked), source))
    homeless = set(source.state_dict()) - set(found.values())
    if (kind, base) == ("C3k2Mine", "yolov8-seg"):
        # C3k2 in a model makes Ultralytics' parser build the class branch of YOLO11's heads, whoever puts it in.
        assert {re.match(r"model.22.cv3.\d.[01].", name) is not None for name in homeless} == {True}
    else:
        assert homeless == set()
    assert base != "yolo11" or len(found) == 499
    for new, old in found.items():
        if old.startswith("model."):
            place, rest = rowwise(old)
            assert rowwise(new) == (edited.moved[place], rest)

    with torch.no_grad():
        outputs = model.eval()(torch.rand(1, 3, 160, 160))
    assert outputs[0][0].isfinite().all() if isinstance(outputs[0], tuple) else outputs[0].isfinite().all()


def test_behind_a_shut_gate_a_base_computes_what_it_computed(my, tmp_path):
    insert("yolo11.yaml", tmp_path / "yolo11-mine.yaml", block=f"{my.__name__}.CBAM", at="P5", arguments={"gate": 0.0})
    plain, mine = live(YOLO("yolo11n.yaml").model), YOLO(tmp_path / "yolo11n-mine.yaml").model.eval()
    mine.load(plain, verbose=False)
    x = picture(96, 160)
    shut = output(mine, x)
    assert torch.equal(shut, output(plain, x))
    mine.model[11].gamma.data.fill_(1.0)
    assert not torch.allclose(output(mine, x), shut, rtol=1e-3)


@pytest.mark.parametrize("base, count", [("yolo11", 8), ("yolo26", 8)])
def test_what_counts_as_c3k2_takes_its_place_with_all_of_its_weights(base, count, my, tmp_path):
    if base not in {path.stem for path in stock_files()}:
        pytest.skip(f"this Ultralytics ships no {base}.yaml")
    insert(f"{base}.yaml", tmp_path / f"{base}-mine.yaml", replace=f"C3k2:{my.__name__}.C3k2Mine")
    source, target = marked(YOLO(f"{base}n.yaml").model), YOLO(tmp_path / f"{base}n-mine.yaml").model
    assert sum(type(m).__name__ == "C3k2Mine" for m in target.model) == count
    assert target.model[-1].legacy is False
    found = landed(source, loaded(target, source))
    assert len(found) == len(source.state_dict())
    assert all(new == old for new, old in found.items())


def test_what_changes_channels_takes_the_place_of_conv(my, tmp_path):
    edited = insert("yolo11.yaml", tmp_path / "yolo11-mine.yaml", replace=f"7:{my.__name__}.Mixer")
    model = YOLO(tmp_path / "yolo11n-mine.yaml").model
    assert "- [-1, 1, Mixer, [1024, 3, 2]]" in edited.text
    assert type(model.model[7]) is my.Mixer
    assert model.model[7](torch.rand(1, 128, 8, 8)).shape == (1, 256, 4, 4)
    source = marked(YOLO("yolo11n.yaml").model)
    found = landed(source, loaded(model, source))
    assert set(source.state_dict()) - set(found.values()) == {
        name for name in source.state_dict() if name.startswith("model.7.")
    }
    assert all(new == old for new, old in found.items())


def test_arguments_that_mean_something_else_in_the_users_class_are_told(my, tmp_path):
    """YOLO26's last C3k2 has a True for `attn`, which a class of four arguments more would take for something else."""
    with pytest.raises(ValueError, match=r"Scaled takes scale where C3k2 takes (attn|g), and row \d+ .* gives True"):
        insert(wide(tmp_path), replace=f"C3k2:{my.__name__}.Scaled")


def wide(folder):
    """YOLO11 with one more argument in its last C3k2, as YOLO26 has it."""
    text = next(path for path in stock_files() if path.stem == "yolo11").read_text(encoding="utf-8")
    assert text.count("C3k2, [1024, True]] # 22") == 1
    file = folder / "yolo11-wide.yaml"
    file.write_text(text.replace("C3k2, [1024, True]] # 22", "C3k2, [1024, True, 0.5, True]] # 22"), encoding="utf-8")
    return file
