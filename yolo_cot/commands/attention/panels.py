"""The pictures of one block: the windows of each point, maps, a kernel and shares, each with a caption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .reading import Map, Reading, head_name
from .recorder import Recording
from .view import AMOUNT, PREFERENCE, View, colours

WIDTH = 288
MOST_HEADS = 8

Point = tuple[float, float]


class Panel(NamedTuple):
    """A picture, at most WIDTH x 1.5 WIDTH, BGR, the heading that it stands under, and the two lines of its caption."""

    section: str
    title: str
    detail: str
    pixels: np.ndarray


def overview(recording: Recording, points: Sequence[Point] = (), width: int = WIDTH) -> View:
    """The whole picture, with the points and their numbers."""
    w, h = recording.placement.image
    height = int(min(max(width * h / w, width * 0.5), width * 1.5))
    view = View(recording.picture, recording.placement, (0.0, 0.0, float(w), float(h)), width, height)
    for n, point in enumerate(points, 1):
        view.mark(*point, str(n))
    return view


def panels(recording: Recording, reading: Reading, points: Sequence[Point]) -> list[Panel]:
    """The panels of one block.

    Args:
        recording: the picture, and where the model's input lies in it.
        reading: what the block looks at.
        points: points of the picture whose windows are shown.
    """
    found = [*_windows(recording, reading, points), *_given(recording, reading, points)]
    found += [_map("Branches", m, recording) for m in reading.branches]
    if reading.kernel is not None:
        taps = reading.kernel.numpy()
        pixels = cv2.resize(colours(taps / taps.max()), (WIDTH, WIDTH), interpolation=cv2.INTER_NEAREST)
        detail = f"mean |weight| of a tap, sum 1: {taps.min():.3g} to {taps.max():.3g}"
        found.append(Panel("Branches", "learned kernel of the static context", detail, pixels))
    if reading.shares is not None:
        detail = f"channels from 0 to 1; mean {reading.shares.mean().item():.2f}"
        title = "share of the dynamic context in the fusion"
        found.append(Panel("Branches", title, detail, histogram(reading.shares.numpy())))
    # All heads have the same scale, which the first one tells.
    entropies = enumerate(reading.entropies[:MOST_HEADS])
    return found + [_map("Entropy of the windows", m, recording, scale=head == 0) for head, m in entropies]


def _map(section: str, shown: Map, recording: Recording, scale: bool = True) -> Panel:
    view, values = overview(recording), shown.values
    scaled = ((values - shown.low) / max(shown.high - shown.low, 1e-12)).numpy()
    view.lay(scaled)
    detail = f"{values.min().item():.4g} to {values.max().item():.4g}; mean {values.mean().item():.4g}"
    detail += f"; colours from {shown.low:.4g} to {shown.high:.4g}" if scale else ""
    return Panel(section, shown.title, detail, view.pixels)


def _given(recording: Recording, reading: Reading, points: Sequence[Point]) -> Iterator[Panel]:
    """For each point the weights that a block of the user's gives for it, over the whole picture."""
    if reading.at is None:
        return
    for n, point in enumerate(points, 1):
        weights = reading.at(*recording.placement.cell(*point, reading.size))[:MOST_HEADS]
        for head, values in enumerate(weights):
            title = "weights" if len(weights) == 1 else head_name(head, len(weights))
            yield _map(f"Point {n}", Map(title, values, 0.0, weights.max().item()), recording)


def _windows(recording: Recording, reading: Reading, points: Sequence[Point]) -> Iterator[Panel]:
    """For each point what lies around it, the window of each head, and what each prefers; from near by."""
    if reading.windows is None or reading.even is None:
        return
    side, step, size = reading.side, reading.step, reading.size
    heads = min(reading.windows.shape[0], MOST_HEADS)
    cells, windows, preferences = [], [], []
    for point in points:
        row, column = (n // step for n in recording.placement.cell(*point, size))
        cells.append((row * step, column * step))
        windows.append(reading.windows[:heads, :, row, column].reshape(heads, side, side).numpy())
        even = reading.even[:, :, row, column].reshape(1, side, side).numpy()
        # Where windows overlap too little to bring anything from a cell, there is no preference either.
        preferences.append(np.where(even > 0, windows[-1] / np.maximum(even, 1e-12), 1.0))
    top = max(window.max() for window in windows)
    far = max(np.abs(np.log(np.maximum(p, 1e-3))).max() for p in preferences) or 1.0

    def near(row: int, column: int, values: np.ndarray | None = None, scale: str = AMOUNT) -> np.ndarray:
        """The window around a cell and half a cell more, the values laid over it, the cell framed."""
        reach, place = side / 2 + 0.5, recording.placement
        (x0, x1), (y0, y1) = (
            [place.edge(at + 0.5 + end, size[1 - axis], axis) for end in (-reach, reach)]
            for axis, at in enumerate((column, row))
        )
        view = View(recording.picture, place, (x0, y0, x1, y1), WIDTH, WIDTH)
        if values is not None:
            view.lay(values, row - side // 2, column - side // 2, size, scale)
        view.frame(row, column, size)
        return view.pixels

    for n, (cell, window, preference) in enumerate(zip(cells, windows, preferences), 1):
        section = f"Point {n}"
        scale = f"Colours: windows 0 to {top:.3g}, preferences {np.exp(-far):.3g} to {np.exp(far):.3g}"
        yield Panel(section, "the picture around it, its cell framed", scale, near(*cell))
        for head, w in enumerate(window):
            title = head_name(head, len(reading.windows))
            yield Panel(section, title, f"largest {w.max():.3g}", near(*cell, w / top))
        for head, p in enumerate(preference):
            detail = f"{p.min():.3g} to {p.max():.3g}"
            values = 0.5 + 0.5 * np.log(np.maximum(p, 1e-3)) / far
            title = f"{head_name(head, len(reading.windows))}: preference"
            yield Panel(section, title, detail, near(*cell, values, PREFERENCE))


def histogram(shares: np.ndarray) -> np.ndarray:
    """How many channels have which share: 20 bars from 0 to 1."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=(WIDTH / 100, WIDTH / 100), dpi=100, layout="constrained"))
    canvas.figure.add_subplot(xlim=(0, 1), xlabel="share", ylabel="channels").hist(shares, 20, range=(0, 1))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 2::-1].copy()
