"""The messages on the page of troubles are those that users meet: each is provoked here and compared."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest
import torch
import yaml
from ultralytics import YOLO
from ultralytics.nn import tasks

import yolo_cot
from tests.conftest import ROOT
from tests.docs.pages import blocks
from yolo_cot.plugin import registration
from yolo_cot.plugin.gates.budget import reachable

TEXT = (ROOT / "docs" / "troubles.md").read_text(encoding="utf-8")
QUOTED = [block.text for block in blocks(TEXT) if not block.language]
ROWS = "nc: 2\nbackbone:\n  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, {}]\nhead:\n  - [[1], 1, Detect, [nc]]\n"


def without_the_package(tmp_path):
    yolo_cot.uninstall()
    try:
        YOLO(str(ROOT / "cfg" / "yolo11-cot.yaml"))
    finally:
        yolo_cot.install()


def with_a_function_imported_before(tmp_path):
    yolo_cot.uninstall()
    early = tasks.parse_model
    yolo_cot.install()
    early(yaml.safe_load(ROWS.format("CoTAttention, []")), 3, False)


def with_an_edited_copy(tmp_path):
    yolo_cot.uninstall()
    tasks.CoTAttention = torch.nn.Identity
    try:
        yolo_cot.install()
    finally:
        del tasks.CoTAttention
        yolo_cot.install()


def with_another_parser(tmp_path):
    yolo_cot.uninstall()
    parse_model, tasks.parse_model = tasks.parse_model, lambda d, ch, verbose=True: None
    try:
        yolo_cot.install()
    finally:
        tasks.parse_model = parse_model
        yolo_cot.install()


def with_a_wrong_name(tmp_path):
    YOLO("yolo11n_cot.yaml")


def with_a_wrong_block(tmp_path):
    tasks.DetectionModel(_file(tmp_path, "CoTAtention, []"), verbose=False)


def with_wrong_heads(tmp_path):
    tasks.DetectionModel(_file(tmp_path, "OutlookAttention, [{num_heads: 5}]"), verbose=False)


def _file(folder, row) -> str:
    (folder / "mine.yaml").write_text(ROWS.format(row))
    return str(folder / "mine.yaml")


def with_a_short_training(tmp_path):
    raise RuntimeError(reachable({"epochs": 4, "batch": 16, "optimizer": "auto"}, images=16, classes=2).told())


def without_cloudpickle(tmp_path):
    import cloudpickle  # noqa: F401


def without_onnx(tmp_path):
    import onnx  # noqa: F401


def with_half_a_checkpoint(tmp_path):
    whole = (ROOT / "tests" / "data" / "tiny-checkpoint.pt").read_bytes()
    (tmp_path / "best.pt").write_bytes(whole[:5000])
    YOLO("best.pt")


PROVOKED = {
    "KeyError: 'CoTAttention'": without_the_package,
    "CoTAttention is built by": with_a_function_imported_before,
    "Ultralytics … already has": with_an_edited_copy,
    "yolo_cot … does not know": with_another_parser,
    "no model 'yolo11n_cot.yaml'": with_a_wrong_name,
    "mine.yaml row 1 names": with_a_wrong_block,
    "mine.yaml row 1 (OutlookAttention)": with_wrong_heads,
    "… optimizer steps": with_a_short_training,
    "No module named 'cloudpickle'": without_cloudpickle,
    "No module named 'onnx'": without_onnx,
    "best.pt is not": with_half_a_checkpoint,
}
# Compared below, or (the last) a message of torchvision that an environment of its own would be needed for.
OTHERS = ("Transferred", "Loss NaN", "… appears to require", "operator torchvision")


def pattern(quoted: str) -> str:
    """A quoted message as a regular expression."""
    return "[\\s\\S]*".join(re.escape(part) for part in quoted.split("…"))


def test_every_message_of_the_page_is_looked_at():
    begun = (*PROVOKED, *OTHERS)
    assert [text for text in QUOTED if sum(text.startswith(start) for start in begun) != 1] == []
    assert len(QUOTED) == len(begun)


@pytest.mark.parametrize("start", PROVOKED)
def test_a_message_is_what_a_user_meets(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in ("cloudpickle", "onnx"):
        if module in start:
            monkeypatch.setitem(sys.modules, module, None)
    (quoted,) = [text for text in QUOTED if text.startswith(start)]
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the message is compared below)
        PROVOKED[start](tmp_path)
    assert registration.installed()
    error = caught.value
    message = f"KeyError: {error}" if isinstance(error, KeyError) else str(error)
    message = message.replace("import of onnx halted; None in sys.modules", "No module named 'onnx'")
    message = message.replace("import of cloudpickle halted; None in sys.modules", "No module named 'cloudpickle'")
    assert re.search(pattern(quoted), message.replace(f"{tmp_path}/", "")), message


def test_the_lines_of_transferred_weights_are_what_loading_prints(caplog, monkeypatch):
    from ultralytics.utils import LOGGER

    monkeypatch.setattr(LOGGER, "propagate", True)
    with caplog.at_level("INFO"):
        YOLO("yolo11n-cot.yaml").model.load(YOLO("yolo11n.yaml").model)
    (quoted,) = [text for text in QUOTED if text.startswith("Transferred")]
    said = "\n".join(record.getMessage() for record in caplog.records)
    for line in quoted.splitlines():
        assert line in said


def test_ultralytics_messages_are_in_its_source():
    import inspect

    from ultralytics.engine import trainer

    assert "detected (attempt {self.nan_recovery_attempts}/3), recovering from last.pt..." in inspect.getsource(trainer)
    assert "appears to require '{e.name}', which is not in Ultralytics requirements." in inspect.getsource(tasks)


def test_the_ranks_need_cloudpickle_as_the_page_says():
    import inspect

    from ultralytics.utils import dist

    trainer = SimpleNamespace(source=inspect.getsource(dist))
    if "cloudpickle" not in trainer.source:
        pytest.skip("this Ultralytics writes the script of several processes without cloudpickle")
    assert "import cloudpickle" in trainer.source
