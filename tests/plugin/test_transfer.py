"""Weights follow their rows between any two models: ours and stock ones, of one base or of two, at every loading."""

from __future__ import annotations

import re

import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel, SegmentationModel

from tests.entry_points import tiny
from tests.yaml_edit.marked import marked
from yolo_cot.plugin import install, uninstall


def fresh(model):
    """Give every tensor a value that no marked model has."""
    for tensor in model.state_dict().values():
        tensor.fill_(-1)
    return model


def landed(source, target):
    """Target's tensor -> source's, by the numbers that `marked` gave."""
    numbers = {float(number): name for number, name in enumerate(source.state_dict(), 1)}
    return {
        name: numbers[value.flatten()[0].item()]
        for name, value in target.state_dict().items()
        if (value == value.flatten()[0]).all() and value.flatten()[0].item() in numbers
    }


def transferred(said):
    return [tuple(map(int, m.groups())) for line in said if (m := re.match(r"Transferred (\d+)/(\d+) items", line))]


@pytest.mark.parametrize("config", ["yolo11n-cot.yaml", "yolo11n-cot-outlook.yaml"])
def test_a_model_of_ours_gives_the_plain_one_everything(config, said):
    source, target = marked(DetectionModel(config, verbose=False)), fresh(DetectionModel("yolo11n.yaml", verbose=False))
    target.load(source)
    assert transferred(said) == [(499, 499)]
    found = landed(source, target)
    assert len(found) == 499
    assert all(name.split(".", 2)[2] == old.split(".", 2)[2] for name, old in found.items())
    assert "New: nothing" in said
    assert [line for line in said if re.match(r"Dropped: \d+ tensors of (CoT|Outlook)Attention, row", line)]


def test_between_tasks_the_trunk_moves_in_both_directions(said):
    detector, segmenter = (
        DetectionModel("yolo11n-cot.yaml", verbose=False),
        fresh(SegmentationModel("yolo11n-seg.yaml", verbose=False)),
    )
    trunk = {name for name in marked(detector).state_dict() if int(name.split(".")[1]) < 25}
    segmenter.load(detector)
    found = landed(detector, segmenter)
    assert set(found.values()) >= {name for name in trunk if not name.startswith(("model.11.", "model.21."))}
    assert [line for line in said if line.startswith("New: ") and "Segment" in line]
    back = fresh(DetectionModel("yolo11n-cot.yaml", verbose=False))
    back.load(marked(segmenter), verbose=False)
    assert len(landed(segmenter, back)) >= 499


def test_between_bases_what_has_a_home_moves_and_the_rest_is_told(said):
    source = marked(DetectionModel("yolo11n.yaml", verbose=False))
    target = fresh(DetectionModel("yolo26n.yaml", verbose=False))
    target.load(source)
    found = landed(source, target)
    # Rows 0 to 22 are the same modules but for the arguments of some; each tensor lands in its own row.
    assert len(found) > 350
    assert all(name.split(".")[1:] == old.split(".")[1:] for name, old in found.items() if "one2one" not in name)
    assert [line for line in said if line.startswith("New: ") and "Detect" in line]
    total = len(target.state_dict())
    new = sum(int(m[1]) for line in said if (m := re.match(r"New: (\d+) tensors", line)))
    assert transferred(said) == [(total - new, total)]


def test_stock_rows_into_the_same_rows_is_ultralytics_own_path_to_the_bit():
    def load():
        torch.manual_seed(0)
        source, target = (
            DetectionModel("yolo11n.yaml", verbose=False),
            DetectionModel("yolo11n.yaml", nc=3, verbose=False),
        )
        target.load(source, verbose=False)
        return target.state_dict()

    ours = load()
    uninstall()
    try:
        stock = load()
    finally:
        install()
    assert list(ours) == list(stock)
    assert all(torch.equal(value, stock[name]) for name, value in ours.items())


def test_the_lines_come_at_every_loading(said):
    DetectionModel("yolo11n.yaml", nc=3, verbose=False).load(DetectionModel("yolo11n.yaml", verbose=False))
    assert [line for line in said if line.startswith("New: ") and "Detect" in line]
    assert [line for line in said if line.startswith("Dropped: ")]


def test_what_is_new_is_told_at_the_second_loading_too(tmp_path, said):
    """`.load().train()` loads twice: into the model, and from it into the one that is trained."""
    data = tiny.data(tmp_path / "d", 4)
    tiny.model(tmp_path)
    (tmp_path / "plain.yaml").write_text(
        tiny.MODEL.replace("C3k2CoT", "C3k2").replace("  - [-1, 1, CoTAttention", "  #")
    )
    source = DetectionModel(str(tmp_path / "yolo11n-tiny.yaml"), verbose=False)
    source.yaml["head"][0] = [-1, 1, "Conv", [8]]
    source.model[5] = torch.nn.Identity()
    torch.save({"model": source, "train_args": {"task": "detect"}}, tmp_path / "source.pt")
    model = YOLO(str(tmp_path / "yolo11n-tiny.yaml")).load(str(tmp_path / "source.pt"))
    first = [line for line in said if line.startswith("New: ") and "CoTAttention" in line]
    assert len(first) == 1
    model.train(data=str(data), epochs=1, imgsz=32, batch=4, device="cpu", workers=0, plots=False, amp=False, val=False,
                project=str(tmp_path / "r"))  # fmt: skip
    told = [line for line in said if line.startswith("New: ") and "CoTAttention" in line]
    assert len(told) == 2
    assert told[1].startswith(first[0].split(":")[0] + ":" + first[0].split(":")[1].split(",")[0])
    assert "new in the model that was loaded, too" in told[1]
    # A model that was trained is new nowhere.
    said.clear()
    YOLO(str(tmp_path / "yolo11n-tiny.yaml")).load(str(next((tmp_path / "r").rglob("last.pt"))))
    assert "New: nothing" in said
