"""Pascal VOC annotations (one XML file per picture) to the label files that Ultralytics reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from ultralytics.utils import TQDM


def convert_voc(
    annotations: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    difficult: bool = False,
) -> list[str]:
    """Write `labels/<stem>.txt` for every `annotations/<stem>.xml`, rows of `class x y w h` relative to the picture.

    VOC counts pixels from 1 and includes both corners, so a box covers xmin - 1 to xmax. Tools that count from 0 end up
    at most one pixel larger. Boxes are cut at the frame; a picture without objects gets an empty file.

    Args:
        annotations: folder of XML files.
        labels: folder to write to, made if it is missing.
        names: class names in the order of their numbers; other objects are left out. By default all names that occur,
            sorted. Give the list that one split returned when converting the next, so that the numbers agree.
        difficult: whether objects that VOC marks as difficult are kept.

    Returns:
        The class names in the order of their numbers.

    Raises:
        FileNotFoundError: no XML file in `annotations`.
        ValueError: an XML file that is broken, or lacks the size of the picture or the corners of a box.
    """
    files = sorted(Path(annotations).glob("*.xml"))
    if not files:
        raise FileNotFoundError(f"convert_voc needs a folder with .xml files; found none in {annotations}.")
    read = {file: _objects(file, difficult) for file in files}
    classes = list(names) if names is not None else sorted({name for boxes in read.values() for name, *_ in boxes})
    Path(labels).mkdir(parents=True, exist_ok=True)
    for file, boxes in TQDM(read.items(), desc=f"Converting {annotations}"):
        rows = [(classes.index(name), *box) for name, *box in boxes if name in classes]
        text = "".join(f"{c} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for c, x, y, w, h in rows)
        (Path(labels) / f"{file.stem}.txt").write_text(text, encoding="utf-8", newline="\n")
    return classes


def _objects(file: Path, difficult: bool) -> list[tuple[str, float, float, float, float]]:
    """Name, centre and size of every object of a file, relative to the picture."""
    try:
        root = ElementTree.parse(file).getroot()
        width, height = (float(root.findtext(f"size/{side}", "")) for side in ("width", "height"))
        found = []
        for thing in root.iter("object"):
            if thing.findtext("difficult", "0").strip() == "1" and not difficult:
                continue
            x1, y1, x2, y2 = (float(thing.findtext(f"bndbox/{k}", "")) for k in ("xmin", "ymin", "xmax", "ymax"))
            x1, x2 = max(x1 - 1, 0) / width, min(x2, width) / width
            y1, y2 = max(y1 - 1, 0) / height, min(y2, height) / height
            if x1 < x2 and y1 < y2:
                found.append((thing.findtext("name", "").strip(), (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1))
        return found
    except (ElementTree.ParseError, ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f"{file} is no VOC annotation: it needs size/width, size/height and four corners in every bndbox ({error})."
        ) from error
