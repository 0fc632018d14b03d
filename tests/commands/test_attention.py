"""`yolo-cot attention`: what it writes for images, folders and videos, and what it says when it cannot."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
import torch
from ultralytics import YOLO
from ultralytics.data.augment import classify_transforms

from tests.commands.verbs import call
from tests.entry_points import tiny
from tests.processes import here
from yolo_cot.commands import attention
from yolo_cot.commands.attention import read_points
from yolo_cot.commands.attention.panels import WIDTH, panels
from yolo_cot.commands.attention.recorder import find, recorder

SEGMENT = tiny.MODEL.replace("Detect, [nc]", "Segment, [nc, 8, 16]")
CLASSIFY = tiny.MODEL.replace("[[2, 5], 1, Detect, [nc]]", "[-1, 1, Classify, [nc]]")
PLAIN = tiny.MODEL.replace("C3k2CoT", "C3k2").replace("OutlookAttention, [{num_heads: 2, gate: 0.0}]", "C3k2, [128]")
MODELS = {
    "detect": tiny.MODEL,
    "segment": SEGMENT,
    "classify": CLASSIFY,
    "plain": PLAIN.replace("CoTAttention, [{gate: 0.0}]", "C3k2, [128]"),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Checkpoints of random weights, one for each task, and one without any of our blocks."""
    folder = tmp_path_factory.mktemp("models")
    for task, text in MODELS.items():
        suffix = {"segment": "-seg", "classify": "-cls"}.get(task, "")
        (folder / f"yolo11-{task}{suffix}.yaml").write_text(text)
        torch.manual_seed(1)
        yolo = YOLO(folder / f"yolo11n-{task}{suffix}.yaml")
        if task == "classify":
            yolo.model.transforms = classify_transforms(64)  # as training leaves them
        yolo.save(folder / f"{task}.pt")
    return folder


def picture(file, width=96, height=48, seed=0):
    cv2.imwrite(str(file), np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))
    return file


def rows(folder):
    with (folder / "numbers.csv").open() as file:
        return list(csv.DictReader(file))


class Links(HTMLParser):
    """The links of a page, of pictures within it too."""

    def __init__(self, file):
        super().__init__()
        self.found = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in {"href", "src"}]


def check_links(folder):
    """Every link of every page leads to a file that is there; returns how many there are."""
    pages = list(folder.rglob("*.html"))
    found = [(page, link) for page in pages for link in Links(page).found]
    for page, link in found:
        assert (page.parent / unquote(link)).is_file(), (page, link)
    assert not [page for page in pages if re.search(r"https?://|url\(|@import|<script", page.read_text())]
    return len(found)


def test_the_command_shows_an_image(models, tmp_path):
    image = picture(tmp_path / "a picture.jpg")
    words = [f"model={models / 'detect.pt'}", f"source={image}", "imgsz=96", f"project={tmp_path / 'out'}"]
    done = here("attention", *words, "points=20,10;90,40", cwd=tmp_path)
    folder = tmp_path / "out" / "a picture"
    assert f"1 picture, 3 blocks: {folder / 'index.html'}" in done.stdout + done.stderr
    sheets = {p.name for p in folder.rglob("*.jpg")}
    assert sheets == {
        "2-m-0-cv2-0-CoTAttention.jpg",
        "4-OutlookAttention.jpg",
        "5-CoTAttention.jpg",
        "picture.jpg",
    }
    assert all(cv2.imread(str(p)).std() > 10 for p in folder.rglob("*.jpg"))
    page = (folder / "index.html").read_text()
    assert "row 2: C3k2CoT m.0.cv2.0: CoTAttention" in page
    assert "as given; x,y in pixels): 1: 20,10; 2: 90,40" in page
    assert check_links(folder) > 10
    found = rows(folder)
    assert [(row["path"], row["head"]) for row in found] == [
        ("2.m.0.cv2.0", ""), ("4", ""), ("4", "1"), ("4", "2"), ("5", ""),
    ]  # fmt: skip
    assert 0 < float(found[0]["dynamic_share"]) < 1
    assert found[0]["gate_abs"] == ""
    assert float(found[1]["gate_abs"]) == 0
    listed = json.loads((folder / "numbers.json").read_text())[0]
    assert listed["points"] == [[20, 10], [90, 40]]
    assert [block["block"] for block in listed["blocks"]] == ["CoTAttention", "OutlookAttention", "CoTAttention"]
    assert len(listed["blocks"][1]["heads"]) == 2


def said_twice(page):
    """Captions of a page that repeat their heading, or another caption under the same heading."""
    found = []
    for section in re.split(r"<h[23]>", page)[1:]:
        heading, *rest = re.split(r"</h[23]>", section)
        captions = [heading, *re.findall(r"<figcaption>(.*?)<span>", rest[0])]
        said = [caption.strip().lower() for caption in captions]
        found += [caption for caption in said if said.count(caption) > 1]
    return found


def test_no_caption_is_said_twice(models, tmp_path):
    image = picture(tmp_path / "x.png", 64, 64)
    call(attention, model=models / "detect.pt", source=image, imgsz=64, project=tmp_path, points="20,10;40,40")
    page = (tmp_path / "x" / "index.html").read_text()
    assert page.count("<figcaption>") > 10
    assert not said_twice(page)
    assert said_twice("<h3>The picture</h3><figcaption>the picture<span>") == ["the picture"] * 2


def test_windows_are_shown_from_near_by_with_the_cell_of_their_point_framed(models):
    image = np.full((64, 64, 3), 128, np.uint8)
    with recorder(YOLO(models / "detect.pt")) as record:
        seen = record.see(image, imgsz=64)
    reading = seen.readings[1]
    assert (reading.side, reading.size) == (5, (8, 8))
    first, window = panels(seen, reading, [(36.0, 36.0)])[:2]
    # Five cells and half a cell on every side are six cells across; the third of the window's is the point's.
    cell, frame = WIDTH / 6, first.pixels != 128
    assert [first.title, window.title] == ["the picture around it, its cell framed", "head 1"]
    assert np.argwhere(frame.any(2)).min(0) == pytest.approx([2.5 * cell] * 2, abs=2)
    assert np.argwhere(frame.any(2)).max(0) == pytest.approx([3.5 * cell] * 2, abs=2)
    assert np.argwhere((window.pixels != 128).any(2)).min(0) == pytest.approx([0.5 * cell] * 2, abs=2)


@pytest.mark.parametrize("task", ["detect", "segment", "classify"])
def test_without_points_there_are_detections_or_a_grid(models, tmp_path, task):
    image = picture(tmp_path / "x.png", 60, 90)
    arguments = {"model": models / f"{task}.pt", "source": image, "imgsz": 64, "project": tmp_path}
    call(attention, **arguments, name="none", conf=0.9999, device="cpu")
    listed = json.loads((tmp_path / "none" / "numbers.json").read_text())[0]
    rows_of_grid = (30, 60) if task == "classify" else (22.5, 67.5)  # a classifier sees the middle square alone
    assert listed["points"] == [[x, y] for y in rows_of_grid for x in (15, 45)]
    if task != "classify":
        call(attention, **arguments, name="some", conf=1e-6, max_det=3)
        points = json.loads((tmp_path / "some" / "numbers.json").read_text())[0]["points"]
        assert len(points) == 3
        assert all(0 <= x < 60 and 0 <= y < 90 for x, y in points)
        assert "centres of detections" in (tmp_path / "some" / "index.html").read_text()


def test_a_folder_gets_an_index_and_what_is_unreadable_is_named(models, tmp_path, caplog):
    source = tmp_path / "source"
    source.mkdir()
    for seed, name in enumerate(("a.jpg", "a.png", "c.png")):
        picture(source / name, 40 + 20 * seed, 60, seed)
    (source / "broken.jpg").write_bytes(b"no picture")
    (source / "broken.mp4").write_bytes(b"no video")
    (source / "notes.txt").write_text("not looked at")
    call(attention, model=models / "detect.pt", source=source, imgsz=64, project=tmp_path / "out")
    folder = tmp_path / "out" / "source"
    assert "broken.jpg: no picture can be read from it." in caplog.text
    assert "broken.mp4: no picture can be read from it." in caplog.text
    assert "notes" not in caplog.text
    page = (folder / "index.html").read_text()
    assert "looks at in 3 pictures" in page
    assert "Not shown: broken.jpg" in page
    assert {"a/index.html", "a-2/index.html", "c/index.html"} <= set(Links(folder / "index.html").found)
    assert "../index.html" in Links(folder / "a-2" / "index.html").found
    check_links(folder)
    assert {row["picture"] for row in rows(folder)} == {"a.jpg", "a.png", "c.png"}
    means = [float(row["entropy"]) for row in rows(folder) if row["path"] == "5"]
    assert f'data-name="entropy, nats">{sum(means) / 3:.4g}' in page


@pytest.mark.skipif(os.name == "nt", reason="no file has such a name there")
def test_the_name_of_a_picture_is_text_in_pages_and_spreadsheets(models, tmp_path):
    name = "=1+1<script>'\".png"
    file = picture(tmp_path / name, 40, 60)
    call(attention, model=models / "detect.pt", source=file, imgsz=64, project=tmp_path, name="out")
    pages = list((tmp_path / "out").rglob("*.html"))
    assert pages
    assert all("<script>'" not in page.read_text() for page in pages)
    assert "&lt;script&gt;" in pages[0].read_text()
    check_links(tmp_path / "out")
    assert {row["picture"] for row in rows(tmp_path / "out")} == {f"'{name}"}


def test_a_point_that_one_picture_has_not_leaves_the_others(models, tmp_path, caplog):
    source = tmp_path / "s"
    source.mkdir()
    picture(source / "large.png", 90, 60)
    picture(source / "small.png", 40, 40)
    call(attention, model=models / "detect.pt", source=source, imgsz=64, project=tmp_path, points=(80, 50))
    assert "small.png: A point needs to lie in the image of 40 x 40 pixels; got 80,50" in caplog.text
    assert {row["picture"] for row in rows(tmp_path / "s-2" if (tmp_path / "s-2").is_dir() else tmp_path / "s2")} == {
        "large.png"
    }


def test_a_video_is_shown_at_a_stride(models, tmp_path, caplog):
    file = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for n in range(7):
        video.write(np.full((48, 64, 3), 30 * n, np.uint8))
    video.release()
    call(attention, model=models / "detect.pt", source=file, imgsz=64, project=tmp_path, vid_stride=3)
    assert [message for message in caplog.messages if message.startswith("picture ")][:1] == ["picture 1 of 3"]
    names = [shown["picture"] for shown in json.loads((tmp_path / "clip" / "numbers.json").read_text())]
    assert names == ["clip.avi frame 0", "clip.avi frame 3", "clip.avi frame 6"]
    shades = [
        cv2.imread(str(tmp_path / "clip" / f"clip-frame-{n}" / "picture.jpg"))[100, 150].mean() for n in (0, 3, 6)
    ]
    assert shades == pytest.approx([0, 90, 180], abs=12)
    check_links(tmp_path / "clip")


def test_the_model_is_left_as_it_was(models):
    yolo = YOLO(models / "detect.pt")
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    called = []
    norm = next(m for m in yolo.model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    handle = norm.register_forward_hook(lambda *call: called.append("batch norm"))
    with recorder(yolo) as record:
        first = record.see(image, imgsz=64)
        assert called  # so it ran un-fused
        assert not yolo.model.is_fused()
        assert [block.row for block in record.blocks] == [2, 4, 5]
    hooks = [hook for m in yolo.model.modules() for hook in (*m._forward_hooks, *m._forward_pre_hooks)]
    assert hooks == [handle.id]
    assert "fuse" not in vars(yolo.model)
    # Without the recorder Ultralytics folds the model, or a copy; what is seen of a folded one is the same.
    called.clear()
    yolo.predict(image, imgsz=64, verbose=False)
    assert not called
    yolo.model.fuse(verbose=False)
    with recorder(yolo) as record:
        again = record.see(image, imgsz=64)
    for a, b in zip(first.readings, again.readings):
        assert a.numbers == pytest.approx(b.numbers, rel=1e-3)


def test_the_gate_of_a_block_around_counts():
    from yolo_cot.nn import Outlooker

    outer = torch.nn.Sequential(Outlooker(8, num_heads=1, gate=0.25))
    blocks = find(outer)
    assert [block.path for block in blocks] == ["0.attn"]
    assert blocks[0].title == "row 0: Outlooker attn: OutlookAttention"
    assert blocks[0].gate.tolist() == [0.25] * 8


def test_what_cannot_be_shown_is_said(models, tmp_path):
    image, empty = picture(tmp_path / "x.png"), tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    model = {"model": models / "detect.pt", "project": tmp_path / "out", "imgsz": 64}
    with pytest.raises(ValueError, match="attention has no argument 'size'"):
        call(attention, **model, source=image, size=3)
    with pytest.raises(ValueError, match="attention needs source="):
        call(attention, **model)
    with pytest.raises(FileNotFoundError, match=r"needs images or videos; the folder .*empty has none"):
        call(attention, **model, source=empty)
    with pytest.raises(FileNotFoundError, match=r"needs an image, a video or a folder; .*none.jpg does not exist"):
        call(attention, **model, source=tmp_path / "none.jpg")
    with pytest.raises(
        ValueError,
        match=r"needs a model with one of CoTAttention, CoTBlock, .* in it, or a block of your own .*; got one without",
    ):
        call(attention, **{**model, "source": image, "model": models / "plain.pt"})
    with pytest.raises(ValueError, match=r"could show nothing of .*broken.png: no picture can be read from it"):
        call(attention, **model, source=broken)
    with pytest.raises(ValueError, match=r"could show nothing of .*x.png. x.png: A point needs to lie in the image"):
        call(attention, **model, source=image, points="500,1")
    for name in ("vid_stride", "max_det"):
        with pytest.raises(ValueError, match=f"needs {name} as a whole number of at least 1; got {name}=0"):
            call(attention, **{**model, "source": image, name: 0})
    assert not (tmp_path / "out").exists()
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"needs a checkpoint, whose blocks can be listened to; got .*m.onnx"):
        call(attention, **{**model, "source": image, "model": tmp_path / "m.onnx"})


@pytest.mark.parametrize(
    "value, points",
    [
        ("10,20;30.5,40", [(10, 20), (30.5, 40)]),
        ("(10, 20)", [(10, 20)]),
        ("[[1, 2], [3, 4]]", [(1, 2), (3, 4)]),
        ("1,2;", [(1, 2)]),
    ],
)
def test_points_are_read_in_every_form_that_a_command_line_gives(value, points):
    assert read_points(value) == points


@pytest.mark.parametrize("value", ["1", "1,2,3", "a,b", "7", "1,2;3"])
def test_points_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match=r'needs points="x,y;x,y", in pixels of the image; got '):
        read_points(value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", ["yolo11n-cot-outlook", "yolo11n-c3k2cot", "yolo11n-c3k2outlook", "yolo11n-cotblock"]
)
def test_our_configs_can_be_looked_at(shared, tmp_path, config):
    images = sorted((shared / "data" / "aquarium" / "images" / "test").iterdir())[:2]
    for image in images:
        shutil.copy(image, tmp_path)
    YOLO(f"{config}.yaml").save(tmp_path / "m.pt")
    call(attention, model=tmp_path / "m.pt", source=tmp_path, imgsz=320, project=tmp_path / "out", name="x")
    assert check_links(tmp_path / "out" / "x") > 20
