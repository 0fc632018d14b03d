"""VOC XML to YOLO labels: the arithmetic by hand, and what is refused."""

from __future__ import annotations

import pytest

from yolo_cot.data.voc import convert_voc

THING = (
    "<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin>"
    "<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)


def write(folder, stem, *things, size=(200, 100)):
    folder.mkdir(exist_ok=True)
    width, height = size
    objects = "".join(THING.format(*box, name=name, difficult=difficult) for name, box, difficult in things)
    (folder / f"{stem}.xml").write_text(
        f"<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size>{objects}</annotation>"
    )


def rows(folder, stem):
    return [[float(v) for v in line.split()] for line in (folder / f"{stem}.txt").read_text().splitlines()]


def test_corners_that_count_from_one_become_centre_and_size(tmp_path):
    # 41..80 covers 40 pixels from 40 to 80; the second box is the whole picture.
    write(tmp_path / "xml", "a", ("dog", (41, 11, 80, 30), 0), ("cat", (1, 1, 200, 100), 0))
    assert convert_voc(tmp_path / "xml", tmp_path / "labels" / "train") == ["cat", "dog"]
    assert rows(tmp_path / "labels" / "train", "a") == [[1, 0.3, 0.2, 0.2, 0.2], [0, 0.5, 0.5, 1, 1]]


def test_boxes_are_cut_at_the_frame_and_those_outside_left_out(tmp_path):
    write(tmp_path / "xml", "a", ("dog", (0, -20, 100, 150), 0), ("dog", (250, 1, 260, 10), 0))
    convert_voc(tmp_path / "xml", tmp_path)
    assert rows(tmp_path, "a") == [[0, 0.25, 0.5, 0.5, 1]]


def test_a_picture_without_objects_gets_an_empty_file(tmp_path):
    write(tmp_path / "xml", "a")
    assert convert_voc(tmp_path / "xml", tmp_path) == []
    assert (tmp_path / "a.txt").read_text() == ""


def test_given_names_set_the_numbers_and_leave_others_out(tmp_path):
    write(tmp_path / "xml", "a", ("dog", (1, 1, 200, 100), 0), ("cat", (1, 1, 200, 100), 0))
    assert convert_voc(tmp_path / "xml", tmp_path, names=["bird", "dog"]) == ["bird", "dog"]
    assert rows(tmp_path, "a") == [[1, 0.5, 0.5, 1, 1]]


def test_difficult_objects_are_kept_only_when_asked_for(tmp_path):
    write(tmp_path / "xml", "a", ("dog", (1, 1, 200, 100), 1), ("dog", (1, 1, 100, 50), 0))
    convert_voc(tmp_path / "xml", tmp_path)
    assert rows(tmp_path, "a") == [[0, 0.25, 0.25, 0.5, 0.5]]
    convert_voc(tmp_path / "xml", tmp_path, difficult=True)
    assert len(rows(tmp_path, "a")) == 2


def test_a_folder_without_annotations_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"found none in .*nothing"):
        convert_voc(tmp_path / "nothing", tmp_path / "labels")
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize(
    "text",
    [
        "<annotation>",
        "<annotation><object/></annotation>",
        "<annotation><size><width>0</width><height>0</height></size>"
        + THING.format(1, 1, 2, 2, name="dog", difficult=0)
        + "</annotation>",
        "<annotation><size><width>9</width><height>9</height></size><object><name>dog</name></object></annotation>",
    ],
)
def test_a_broken_annotation_is_named(tmp_path, text):
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.xml is no VOC annotation: it needs size/width"):
        convert_voc(tmp_path, tmp_path / "labels")
    assert not (tmp_path / "labels").exists()
