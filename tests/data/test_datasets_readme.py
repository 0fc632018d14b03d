"""What datasets/README.md shows works as typed, and what it says of the embedded set is so."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest
from ultralytics.data import YOLODataset
from ultralytics.data.utils import check_det_dataset

from tests.conftest import ROOT
from tests.data.test_voc import write as write_voc
from yolo_cot.data.scene import CLASSES
from yolo_cot.data.shapes import SPLITS, picture

README = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def code(after, language="python"):
    """The blocks of a section."""
    section = README.split(f"## {after}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def execute(block):
    exec(compile(block, "README", "exec"), {"__name__": "__main__"})


def write_pictures(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((64, 128, 3), 127, np.uint8))


def labels_read(yaml_file):
    """Class and box of each picture of the two splits, as Ultralytics reads them for training."""
    data = check_det_dataset(str(yaml_file), autodownload=False)
    read = {}
    for split in "train", "val":
        for label in YOLODataset(img_path=data[split], data=data, imgsz=64, augment=False).labels:
            boxes = np.hstack([label["cls"], label["bboxes"]]).round(4)
            read[f"{split}/{label['im_file'].rsplit('/', 1)[1]}"] = boxes.tolist()
    return data["names"], read


EXPECTED = {
    "train/a.jpg": [[1.0, 0.5, 0.5, 0.5, 0.5]],
    "train/b.jpg": [[0.0, 0.25, 0.25, 0.5, 0.5]],
    "val/c.jpg": [[1.0, 0.5, 0.5, 1.0, 1.0]],
}


def test_the_coco_recipe_gives_a_data_set_that_ultralytics_reads(here):
    def annotations(*entries):
        return {
            "images": [{"id": i, "file_name": n, "width": 128, "height": 64} for i, (n, *_) in enumerate(entries)],
            "annotations": [
                {"id": i, "image_id": i, "category_id": c, "bbox": box, "iscrowd": 0}
                for i, (_, c, box) in enumerate(entries)
            ],
            "categories": [{"id": 7, "name": "dog"}, {"id": 0, "name": "cat"}],
        }

    (here / "annotations").mkdir()
    train = annotations(("a.jpg", 7, [32, 16, 64, 32]), ("b.jpg", 0, [0, 0, 64, 32]))
    (here / "annotations" / "instances_train.json").write_text(json.dumps(train))
    (here / "annotations" / "val.json").write_text(json.dumps(annotations(("c.jpg", 7, [0, 0, 128, 64]))))
    write_pictures(here / "train", "a.jpg", "b.jpg")
    write_pictures(here / "val", "c.jpg")
    (block,) = code("From COCO JSON")
    execute(block)
    assert labels_read(here / "mydata" / "mydata.yaml") == ({0: "cat", 1: "dog"}, EXPECTED)


def test_the_voc_recipe_gives_a_data_set_that_ultralytics_reads(here):
    (here / "mydata" / "xml").mkdir(parents=True)
    xml = here / "mydata" / "xml"
    write_voc(xml / "train", "a", ("dog", (33, 17, 96, 48), 0), size=(128, 64))
    write_voc(xml / "train", "b", ("cat", (1, 1, 64, 32), 0), size=(128, 64))
    write_voc(xml / "val", "c", ("dog", (1, 1, 128, 64), 0), size=(128, 64))
    write_pictures(here / "mydata" / "images" / "train", "a.jpg", "b.jpg")
    write_pictures(here / "mydata" / "images" / "val", "c.jpg")
    execute(code("From VOC XML")[0])
    assert labels_read(here / "mydata" / "mydata.yaml") == ({0: "cat", 1: "dog"}, EXPECTED)


def test_the_recipe_for_vocs_own_layout_gives_a_data_set_that_ultralytics_reads(here):
    voc = here / "VOCdevkit" / "VOC2012"
    (voc / "ImageSets" / "Main").mkdir(parents=True)
    write_voc(voc / "Annotations", "a", ("dog", (33, 17, 96, 48), 0), size=(128, 64))
    write_voc(voc / "Annotations", "b", ("cat", (1, 1, 64, 32), 0), size=(128, 64))
    write_voc(voc / "Annotations", "c", ("dog", (1, 1, 128, 64), 0), size=(128, 64))
    (voc / "ImageSets" / "Main" / "train.txt").write_text("a\nb\n")
    (voc / "ImageSets" / "Main" / "val.txt").write_text("c\n")
    write_pictures(voc / "JPEGImages", "a.jpg", "b.jpg", "c.jpg")
    execute(code("From VOC XML")[1])
    assert labels_read(voc / "voc.yaml") == ({0: "cat", 1: "dog"}, EXPECTED)


def test_the_layout_and_the_split_of_ones_own_pictures_work(here):
    write_pictures(here / "mydata" / "images", *(f"{i}.jpg" for i in range(40)))
    execute(code("Your own pictures")[0])
    splits = [(here / "mydata" / f"autosplit_{split}.txt").read_text().split() for split in ("train", "val")]
    assert sum(map(len, splits)) == 40
    assert min(map(len, splits)) > 0

    write_pictures(here / "mydata" / "images" / "train", "0001.jpg")
    write_pictures(here / "mydata" / "images" / "val", "0002.jpg")
    (text,) = code("Your own pictures", "yaml")
    (here / "mydata" / "mydata.yaml").write_text(text.replace("/home/me", str(here)))
    data = check_det_dataset(str(here / "mydata" / "mydata.yaml"), autodownload=False)
    assert data["names"] == {0: "cat", 1: "dog"}
    assert data["train"] == str((here / "mydata" / "images" / "train").resolve())


def test_the_generator_takes_the_arguments_shown(here):
    (block,) = code("The embedded set")
    execute(block)
    assert len(list((here / "my-shapes" / "images" / "train").iterdir())) == 40
    assert cv2.imread(str(here / "my-shapes" / "images" / "val" / "00000.png")).shape == (160, 160, 3)


def test_counts_classes_and_sizes_are_as_stated():
    scenes = [picture("train", i) for i in range(300)]
    sides = np.concatenate([(scene.boxes[:, 2:] - scene.boxes[:, :2]).max(1) for scene in scenes])
    shapes = [len(scene.classes) for scene in scenes]
    counts = ", ".join(f"{count} {split}" for split, count in SPLITS.items())
    assert f"| {counts}; 128 x 128, PNG |" in README
    assert f"# Pictures  {counts}, 128 x 128, drawn" in (ROOT / "datasets" / "shapes.yaml").read_text(encoding="utf-8")
    assert f"| {', '.join(CLASSES)} |" in README
    low, high, mean = map(int, re.search(r"\| (\d) to (\d) a picture, about (\d) on average \|", README).groups())
    assert (low, high, mean) == (min(shapes), max(shapes), round(np.mean(shapes)))
    low, high = map(int, re.search(r"shapes measure from about (\d+) to (\d+) pixels", README).groups())
    assert np.percentile(sides, [1, 100]).round() == pytest.approx([low, high], abs=1)
