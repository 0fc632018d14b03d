"""What a model YAML must be before anything else can be asked of it: scales, rows and indices of the right form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..plugin.bounded_yaml import MOST_NUMBER, is_number
from ..plugin.catalog.files import names as named_blocks
from ..plugin.plain_rows import activation_module
from ..plugin.row_errors import rows as all_rows
from .fault import Fault
from .graph import Row, rows_of
from .reading import brief

# Depth and width beyond this are slips of the pen.
MOST_SCALING = 16
SCALING = ("scales", "depth_multiple", "width_multiple")


def check_activation(model: dict[str, Any]) -> list[Fault]:
    """An `activation` that is more than a module of torch.nn with numbers: Ultralytics runs it as Python."""
    text = model.get("activation")
    if not text or activation_module(text):
        return []
    what = f"activation is run as Python by Ultralytics; got {brief(repr(text))}."
    return [Fault(-1, what, "Write a module of torch.nn, such as nn.SiLU() or nn.LeakyReLU(0.1).")]


def check_classes(model: dict[str, Any]) -> list[Fault]:
    """A number of classes that is none."""
    count = model.get("nc")
    if isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= MOST_NUMBER:
        return []
    return [Fault(-1, f"nc, the number of classes, is a whole number; got {brief(repr(count))}.", "Write nc: 80.")]


def check_blocks(model: dict[str, Any]) -> list[Fault]:
    """A line `blocks:` that is no list of classes in modules."""
    try:
        named_blocks(model)
    except ValueError as error:
        return [Fault(-1, str(error), "Write for example blocks: [my_blocks.CBAM].")]
    return []


def check_scales(model: dict[str, Any]) -> list[Fault]:
    """Scales that are not {letter: [depth, width, largest channel count]}, and multiples that are no numbers."""
    for key in SCALING[1:]:
        if not _is_number(model.get(key, 1), MOST_SCALING):
            what = f"{key} is a number above 0; got {brief(repr(model[key]))}."
            return [Fault(-1, what, f"Write one of at most {MOST_SCALING}.")]
    scales = model.get("scales")
    if scales is None:
        return []
    if isinstance(scales, dict) and scales and all(isinstance(k, str) and _is_scale(s) for k, s in scales.items()):
        return []
    what = f"scales must be {{letter: [depth, width, max_channels]}}; got {brief(repr(scales))}."
    return [Fault(-1, what, f"Write three numbers, the first two at most {MOST_SCALING}.")]


def _is_scale(sizes: object) -> bool:
    most = (MOST_SCALING, MOST_SCALING, MOST_NUMBER)
    return isinstance(sizes, list) and len(sizes) == 3 and all(map(_is_number, sizes, most))


def _is_number(value: object, most: int) -> bool:
    return is_number(value, most) and value > 0  # type: ignore[operator]


def check_forms(model: dict[str, Any]) -> list[Fault]:
    """Rows that are not [from, repeats, module, [args]]."""
    faults = []
    for index, row in enumerate(all_rows(model)):
        what = ""
        if not isinstance(row, list) or len(row) != 4:
            what = f"a row is [from, repeats, module, [args]]; got {brief(repr(row))}."
        elif not _is_from(row[0]):
            what = f"'from' is a whole number or a list of them; got {brief(repr(row[0]))}."
        elif not isinstance(row[1], int) or isinstance(row[1], bool) or row[1] < 1:
            what = f"repeats is a whole number of at least 1; got {brief(repr(row[1]))}."
        elif not isinstance(row[2], str):
            what = f"the module is a name; got {brief(repr(row[2]))}."
        elif not isinstance(row[3], list):
            what = f"the arguments are a list; got {brief(repr(row[3]))}."
        if what:
            faults.append(Fault(index, what, "Write for example [-1, 1, Conv, [64, 3, 2]]."))
    return faults


def _is_from(value: object) -> bool:
    numbers = value if isinstance(value, list) else [value]
    return bool(numbers) and all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)


def require_form(model: dict[str, Any], name: str) -> list[Row]:
    """The rows of a model YAML whose scales, rows and indices are of the right form.

    Raises:
        ValueError: they are not; the message tells all faults.
    """
    faults = [*check_classes(model), *check_scales(model), *check_forms(model)]
    rows = [] if faults else rows_of(model)
    if faults := [*faults, *check_sources(rows)]:
        raise ValueError(f"{name} must be mended first: " + " ".join(map(str, faults)))
    return rows


def check_sources(rows: Sequence[Row]) -> list[Fault]:
    """Indices that point at no row above."""
    faults = []
    for row in rows:
        for position, (written, source) in enumerate(zip(row.written, row.sources)):
            if row.index == 0:
                if (written, row.listed) != (-1, False):
                    what, remedy = f"the first row reads the image; got from={written}.", "Write -1."
                    faults.append(Fault(0, what, remedy, row.module, position))
            elif not 0 <= source < row.index:
                at = "itself" if source == row.index else f"row {source}"
                what = f"reads {at} (from={written}), but only rows 0 to {row.index - 1} stand above it."
                faults.append(Fault(row.index, what, "Write one of these, or -1.", row.module, position))
    return faults
