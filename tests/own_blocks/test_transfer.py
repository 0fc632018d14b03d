"""Weights between stock models, ours and those with blocks of the user's, both ways: counted, compared by value."""

from __future__ import annotations

import re

import pytest
from ultralytics import YOLO

from tests.entry_points import own_block
from tests.yaml_edit.marked import landed, marked, rowwise
from yolo_cot.yaml_edit.insert import insert

# Each model, and in which rows it has something that plain YOLO11 has not.
MODELS = {"plain": [], "cot": [11, 21], "CBAM": [11], "Mixer": [11], "C3k2Mine": []}
PAIRS = [(one, other) for one in MODELS for other in MODELS if one != other]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The function that opens each of the models anew."""
    folder = tmp_path_factory.mktemp("transfer")
    with own_block.imported(folder) as my:
        names = {"plain": "yolo11n.yaml", "cot": "yolo11n-cot.yaml"}
        for kind in own_block.ROWS:
            path = f"{my.__name__}.{kind}"
            how = {"replace": f"C3k2:{path}"} if kind == "C3k2Mine" else {"block": path, "at": "P5"}
            insert("yolo11.yaml", folder / f"yolo11-{kind.lower()}.yaml", **how)
            names[kind] = str(folder / f"yolo11n-{kind.lower()}.yaml")
        yield lambda kind: YOLO(names[kind])


def plain_row(kind, row):
    """The row of plain YOLO11 that a model's row is; None for one that plain YOLO11 has not."""
    return None if row in MODELS[kind] else row - sum(new < row for new in MODELS[kind])


@pytest.mark.parametrize("one, other", PAIRS)
def test_every_tensor_of_yolo11_moves_into_its_own_row(one, other, opened, said):
    source, yolo = marked(opened(one).model), opened(other)
    for tensor in yolo.model.state_dict().values():
        tensor.fill_(-1)
    said.clear()
    yolo.model.load(source)
    found = landed(source, yolo.model)
    for new, old in found.items():
        (row, rest), (came, name) = rowwise(new), rowwise(old)
        assert (plain_row(other, row), rest) == (plain_row(one, came), name)
        assert plain_row(one, came) is not None or one == other
    total = len(yolo.model.state_dict())
    assert len(found) == 499
    lines = "\n".join(said)
    assert f"Transferred 499/{total} items" in lines
    counted = {kind: sum(map(int, re.findall(rf"^{kind}: (\d+) tensors", lines, re.M))) for kind in ("New", "Dropped")}
    assert counted == {"New": total - 499, "Dropped": len(source.state_dict()) - 499}
    assert ("New: nothing" in lines, "Dropped: nothing" in lines) == (not MODELS[other], not MODELS[one])


def test_a_checkpoint_file_moves_the_same(opened, tmp_path, said):
    source = opened("CBAM")
    marked(source.model)
    source.save(tmp_path / "cbam.pt")
    for other in ("plain", "cot"):
        target = opened(other)
        for tensor in target.model.state_dict().values():
            tensor.fill_(-1)
        target.load(tmp_path / "cbam.pt")
        # Saving keeps half precision, which holds every number up to 2048.
        assert len(landed(source.model, target.model)) == 499
