"""Run the commands and the Python of a page, in a folder that holds what they name, without a network."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from itertools import product
from pathlib import Path

import cv2
import pytest
import ultralytics.cfg
from ultralytics import YOLO
from ultralytics.utils import ASSETS, SETTINGS

from tests.conftest import ROOT
from tests.docs.pages import Block, shortened
from yolo_cot import cli
from yolo_cot.data.shapes import generate
from yolo_cot.plugin.startup import line as startup

CLASSES = ["ellipse", "ring", "triangle", "rectangle", "cross", "crescent"]


class Place:
    """A folder to run commands in: small stand-ins for the data, weights and pictures that the pages name.

    Attributes:
        folder: the working directory.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        monkeypatch.chdir(folder)
        # Ultralytics writes elsewhere when it sees that it is tested.
        monkeypatch.setattr(ultralytics.cfg, "TESTS_RUNNING", False)
        monkeypatch.setitem(SETTINGS, "runs_dir", "runs")
        # The line of `enable` goes into this folder, not into the environment.
        monkeypatch.setattr(startup, "line_file", lambda: folder / "enable.pth")
        generate("yolo-cot-shapes", counts={"train": 4, "val": 4, "test": 4}, size=64)
        picture = cv2.resize(cv2.imread(str(ASSETS / "bus.jpg")), (384, 512))
        cv2.imwrite("photo.jpg", picture)

    def data_set(self, name: str) -> None:
        """A data YAML of this name, with the pictures of the embedded set."""
        sets = self.folder / "yolo-cot-shapes" / "images"
        text = f"path: {sets.parent}\ntrain: images/train\nval: images/val\ntest: images/test\nnames: {CLASSES}\n"
        (self.folder / name).write_text(text)

    def class_folder(self, name: str) -> None:
        """A data set for classifiers: a folder for each split and class."""
        picture = cv2.imread("photo.jpg")
        for split, kind, number in product(("train", "val"), ("dark", "light"), range(2)):
            folder = self.folder / name / split / kind
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{number}.jpg"), picture // (1 + 2 * (kind == "dark")) + number)

    def pictures(self, name: str) -> None:
        """A folder of two pictures."""
        (self.folder / name).mkdir()
        for number in range(2):
            shutil.copy("photo.jpg", self.folder / name / f"{number}.jpg")

    def film(self, name: str) -> None:
        """A short video."""
        writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"mp4v"), 10, (96, 128))
        for _ in range(3):
            writer.write(cv2.resize(cv2.imread("photo.jpg"), (96, 128)))
        writer.release()

    def weights(self, name: str, model: str) -> None:
        """A checkpoint of this name, untrained."""
        YOLO(model).save(self.folder / name)

    def run(self, block: Block) -> None:
        """Run a block; each command in this process, through the command's own entry point."""
        if block.language == "python":
            file = self.folder / "page.py"
            file.write_text(self.small_python(block.text))
            runpy.run_path(str(file), run_name="__main__")
            return
        for words in block.lines():
            self.command(shortened(words))

    def small_python(self, text: str) -> str:
        """Python with trainings as short as in commands."""
        text = re.sub(r"epochs=\d+", "epochs=1, batch=4, workers=0, plots=False, amp=False", text)
        return re.sub(r"imgsz=\d+", "imgsz=64", text)

    def command(self, words: list[str]) -> None:
        """Run one command.

        Raises:
            ValueError: a program that no test runs; its block needs the mark of a network.
        """
        program = words[0]
        # In place, for Ultralytics keeps the list itself: by its first word it tells whether to save what it predicts.
        self.monkeypatch.setattr(sys, "argv", sys.argv)
        sys.argv[:] = words
        if program == "yolo-cot":
            cli.main()
        elif program == "yolo":
            ultralytics.cfg.entrypoint()
        elif words[:2] == ["python", "-m"] and words[2].startswith("docs."):
            self.monkeypatch.chdir(ROOT)
            runpy.run_module(words[2], run_name="__main__", alter_sys=True)
            self.monkeypatch.chdir(self.folder)
        else:
            raise ValueError(f"The tests run yolo-cot, yolo and python; got '{program}'.")
