"""Put new rows between the rows of a model YAML and move every index that they shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .graph import IMAGE, Row
from .places import Place
from .text import ModelText


def rewire(
    source: ModelText, rows: Sequence[Row], new: Mapping[Place, Sequence[str]]
) -> tuple[list[int], dict[Place, list[int]]]:
    """Edit `source` so that the new rows stand at their places and every row reads what it should.

    A row behind row r is read by all that read r. Rows ahead of row r, one for each of its inputs, are read by r alone.
    Every other row reads what it read before.

    Args:
        source: the text, which collects the edits.
        rows: its rows.
        new: for each place the text of its new row, without its `from`: `1, CoTAttention, []`; ahead of a row one
            text for each of its inputs.

    Returns:
        The new number of each old row, and the numbers of the new rows at each place.
    """
    after = {place.row: place for place in new if not place.before}
    before = {place.row: place for place in new if place.before}
    moved: list[int] = []
    numbers: dict[Place, list[int]] = {}
    count = 0
    for row in rows:
        if place := before.get(row.index):
            numbers[place] = list(range(count, count + len(row.sources)))
            count += len(row.sources)
        moved.append(count)
        count += 1
        if place := after.get(row.index):
            numbers[place] = [count]
            count += 1

    def output(index: int) -> int:
        return index if index == IMAGE else numbers[after[index]][0] if index in after else moved[index]

    for row in rows:
        reads = [output(s) for s in row.sources]
        if place := before.get(row.index):
            texts = {n: f"[{_relative(t, n)}, {text}]" for t, n, text in zip(reads, numbers[place], new[place])}
            source.insert(row.index, texts, before=True)
            reads = numbers[place]
        for position, (written, target) in enumerate(zip(row.written, reads)):
            # Rows that count backwards keep doing so; the image is row 0's own.
            value = written if target == IMAGE else target - moved[row.index] if written < 0 else target
            if value != written:
                source.set_source(row.index, position, value)
        if moved[row.index] != row.index:
            source.renumber_comment(row.index, moved[row.index])
        if place := after.get(row.index):
            source.insert(row.index, {numbers[place][0]: f"[-1, {new[place][0]}]"})
    return moved, numbers


def _relative(target: int, number: int) -> int:
    return -1 if target == number - 1 else target
