"""Other tools with a checkpoint of ours: every example of the page runs where the tool is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.docs.pages import blocks, shortened
from tests.docs.runner import Place
from tests.processes import YOLO, YOLO_COT, python

TEXT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
EXAMPLES = {block.mark.removeprefix("needs "): block for block in blocks(TEXT)}
# What an example prints when it works.
PRINTED = {
    "sahi": r"\d+ objects",
    "supervision": r"\d+ boxes",
    "shapely": r"\d+ tracks",
    "pytorch_grad_cam": r"\(1, \d+, \d+\)",
    "lightly_train": r"yolo11n-cot-neck.yaml \d+\nyolo11n-c3k2cot.yaml \d+\nyolo11n-c3k2outlook.yaml \d+",
    "esmoe": r"\['CoTAttention', 'ESMoE'\]",
}
# Ultralytics asks once, when it is imported, whether these are switched on, and never inside of tests.
LOGGERS = {"mlflow", "tensorboard"}
# What an example leaves in its folder.
WRITTEN = {"lap": "runs/**/clip*", "mlflow": "**/mlflow*", "tensorboard": "**/events.out.tfevents*"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    place = Place(tmp_path, monkeypatch)
    place.weights("best.pt", "yolo11n-cot.yaml")
    place.film("clip.mp4")
    return place


def test_every_example_names_its_tool():
    assert len(EXAMPLES) == len(list(blocks(TEXT))) > 8
    assert all(re.fullmatch(r"\w+", tool) for tool in EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("tool", sorted(LOGGERS))
def test_a_training_is_logged(tool, place, monkeypatch):
    pytest.importorskip(tool, reason=f"{tool} is not installed")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    shutil.copytree(os.environ["YOLO_CONFIG_DIR"], place.folder / "settings")
    for words in EXAMPLES[tool].lines():
        program = {"yolo": YOLO, "yolo-cot": YOLO_COT}[words[0]]
        where = {"YOLO_CONFIG_DIR": str(place.folder / "settings")}
        python(program, *shortened(words)[1:], cwd=place.folder, PYTHONWARNINGS="ignore", **where)
    assert list(place.folder.glob(WRITTEN[tool]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what other tools warn of is theirs
@pytest.mark.parametrize("tool", sorted(EXAMPLES.keys() - LOGGERS))
def test_an_example_works(tool, place, capsys):
    pytest.importorskip(tool, reason=f"{tool} is not installed")
    place.run(EXAMPLES[tool])
    said = capsys.readouterr().out
    assert re.search(PRINTED.get(tool, ""), said), said
    assert tool not in WRITTEN or list(place.folder.glob(WRITTEN[tool]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_tracks_have_numbers(place):
    pytest.importorskip("lap", reason="lap is not installed")
    from ultralytics import YOLO

    results = YOLO("best.pt").track("clip.mp4", imgsz=64, conf=0.0001, verbose=False, stream=False)
    assert len(results) == 3


@pytest.mark.slow
def test_lightly_train_refuses_the_other_configs_as_the_page_says():
    pytest.importorskip("lightly_train", reason="lightly_train is not installed")
    from lightly_train._models.ultralytics.ultralytics import UltralyticsModelWrapper
    from ultralytics import YOLO

    with pytest.raises(RuntimeError, match="Could not identify backbone"):
        UltralyticsModelWrapper(YOLO("yolo11n-cot.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("order", ["esmoe, yolo_cot", "yolo_cot, esmoe"])
def test_both_packages_work_in_either_order(order, tmp_path):
    pytest.importorskip("esmoe", reason="esmoe is not installed")
    names = "{type(module).__name__ for module in model.model.modules()}"
    program = f"import {order}\nmodel = esmoe.equip('yolo11n-outlook.yaml')\nprint({names})"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "'ESMoE'" in done.stdout
    assert "'OutlookAttention'" in done.stdout
