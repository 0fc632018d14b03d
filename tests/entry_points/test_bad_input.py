"""Bad input to predict and train: a clear message and a status that is not 0, or the other inputs still worked on."""

from __future__ import annotations

import io
import zipfile

import cv2
import numpy as np
import pytest
from ultralytics import YOLO as YOLO_MODEL

from tests.entry_points import tiny
from tests.entry_points.test_checkpoints import KEPT
from tests.processes import YOLO, here, python


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with two good images and several bad ones."""
    folder = tmp_path_factory.mktemp("pictures")
    tiny.images(folder, 2, seed=0)
    mixed = folder / "mixed"
    mixed.mkdir()
    good = (folder / "images" / "0.png").read_bytes()
    (mixed / "a.png").write_bytes(good)
    (mixed / "b.png").write_bytes(b"")
    (mixed / "c.jpg").write_bytes(b"not an image")
    (mixed / "d.png").write_bytes(good[: len(good) // 2])
    (mixed / "e.png").write_bytes((folder / "images" / "1.png").read_bytes())
    (folder / "empty").mkdir()
    writer = cv2.VideoWriter(str(folder / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 64))
    random = np.random.default_rng(0)
    for _ in range(30):
        writer.write(random.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    writer.release()
    video = (folder / "v.avi").read_bytes()
    (folder / "cut.avi").write_bytes(video[: len(video) * 2 // 3])
    (folder / "zero.avi").write_bytes(b"")
    return folder


def words(source, out, model=KEPT):
    given = {"model": model, "source": source, "imgsz": 64, "device": "cpu", "project": out, "name": "p"}
    return ["detect", "predict", *(f"{key}={value}" for key, value in given.items()), "exist_ok=True"]


def predict(source, out, status=0):
    done = here(*words(source, out), cwd=out, status=status)
    return done.stdout + done.stderr


def test_the_readable_images_of_a_folder_are_still_predicted(pictures, tmp_path):
    said = predict(pictures / "mixed", tmp_path)
    assert {"a", "e"} <= {path.stem for path in (tmp_path / "p").iterdir()}
    assert "b.png" in said
    assert "c.jpg" in said


def test_the_readable_part_of_a_truncated_video_is_predicted(pictures, tmp_path):
    said = predict(pictures / "cut.avi", tmp_path)
    assert "frame 10/" in said
    assert list((tmp_path / "p").iterdir())


@pytest.mark.parametrize(
    "source, message",
    [
        ("empty", "No images or videos found in"),
        ("no-such-file.png", "does not exist"),
        ("zero.avi", "Failed to open video"),
    ],
)
def test_a_source_with_nothing_to_predict_ends_with_a_message(pictures, tmp_path, source, message):
    assert message in predict(pictures / source, tmp_path, status=1)


def rewritten(pickled):
    """The kept checkpoint with another pickle in it, whose checksum is right."""
    content = io.BytesIO()
    with zipfile.ZipFile(KEPT) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, pickled if name.endswith("/data.pkl") else old.read(name))
    return content.getvalue()


DAMAGED = {
    "empty": b"",
    "of another format": b"\x89PNG\r\n and no weights",
    "cut in its head": KEPT.read_bytes()[:5000],
    "cut in its middle": KEPT.read_bytes()[:100_000],
    "cut by one byte": KEPT.read_bytes()[:-1],
    "with another bit": KEPT.read_bytes().replace(b"cyolo_cot.nn", b"cyolo_cov.nn", 1),
    "that holds no pickle": rewritten(b"\x80\x02cno_such_module\nThing\n\xff"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_weights_are_told_with_the_file_and_what_to_do(tmp_path, damage):
    file = tmp_path / "w.pt"
    file.write_bytes(DAMAGED[damage])
    with pytest.raises(TypeError, match=r"w\.pt is not a loadable checkpoint.*truncated or corrupted"):
        YOLO_MODEL(str(file))


def test_our_command_tells_damaged_weights_in_one_line(pictures, tmp_path):
    (tmp_path / "w.pt").write_bytes(DAMAGED["cut in its head"])
    told = here(*words(pictures / "images", tmp_path, tmp_path / "w.pt"), status=1).stderr.strip().splitlines()[-1]
    assert "w.pt is not a loadable checkpoint: the file is truncated or corrupted" in told
    assert "Copy, download or train it again." in told


def test_the_plain_command_ends_with_a_status_on_damaged_weights(pictures, tmp_path):
    (tmp_path / "w.pt").write_bytes(DAMAGED["cut by one byte"])
    done = python(YOLO, *words(pictures / "images", tmp_path, tmp_path / "w.pt"), cwd=tmp_path, status=1)
    assert "central directory" in done.stdout + done.stderr


def train(folder, data, status=0):
    given = tiny.arguments(folder, model=tiny.model(folder).with_name("yolo11n-tiny.yaml"), data=data)
    done = here("detect", "train", *given, cwd=folder, status=status)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "line, message",
    [
        ("7 0.5 0.5 0.2 0.2", "label class 7|Label class 7|class index|Label class index"),
        ("0 1.5 0.5 0.2 0.2", "non-normalized or out of bounds"),
        pytest.param("0 0.5 0.5", "labels require 5 columns", marks=pytest.mark.slow),
        pytest.param("zero 0.5 0.5 0.2 0.2", "could not convert|ignoring corrupt", marks=pytest.mark.slow),
    ],
)
def test_a_label_out_of_range_is_named_and_the_other_images_are_trained_on(tmp_path, line, message):
    import re

    data = tiny.data(tmp_path / "d")
    (tmp_path / "d" / "train" / "labels" / "0.txt").write_text(line + "\n")
    said = train(tmp_path, data)
    assert re.search(message, said), said[-3000:]
    assert "0.png" in said or "class" in said
    assert (tmp_path / "runs/t/weights/last.pt").is_file()


@pytest.mark.slow
def test_training_on_labels_that_are_all_wrong_ends_with_a_message(tmp_path):
    data = tiny.data(tmp_path / "d")
    for file in (tmp_path / "d" / "train" / "labels").iterdir():
        file.write_text("7 0.5 0.5 9 9\n")
    said = train(tmp_path, data, status=1)
    assert "No valid images found" in said or "ignoring corrupt image/label" in said


@pytest.mark.slow
def test_training_without_images_ends_with_a_message(tmp_path):
    data = tiny.data(tmp_path / "d")
    for file in (tmp_path / "d" / "train" / "images").iterdir():
        file.unlink()
    said = train(tmp_path, data, status=1)
    assert "Error loading data from" in said
