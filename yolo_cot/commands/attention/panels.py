"""The pictures of one block: its windows, maps, kernel and shares, each with a caption."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from .looks import Look, Map
from .view import AMOUNT, PREFERENCE, View, colours
from .watch import Seen

WIDTH = 288
MOST_HEADS = 8
INK = (40, 40, 40)

Rectangle = tuple[float, float, float, float]


class Panel(NamedTuple):
    """A picture with its caption.

    Attributes:
        section: the heading that it stands under.
        title, detail: the two lines of its caption.
        pixels: (height, WIDTH, 3), BGR.
        row: panels of a section with another number begin a new row.
    """

    section: str
    title: str
    detail: str
    pixels: np.ndarray
    row: int = 0


def panels(seen: Seen, look: Look, points: list[tuple[float, float]]) -> list[Panel]:
    """The panels of one block.

    Args:
        seen: the picture, and where the model's input lies in it.
        look: what the block looked at.
        points: points of the picture whose windows are shown.
    """
    width, height = seen.place.image
    tall = int(min(max(WIDTH * height / width, WIDTH * 0.5), WIDTH * 1.5))

    def view(rectangle: Rectangle = (0.0, 0.0, float(width), float(height))) -> View:
        return View(seen.picture, seen.place, rectangle, WIDTH, tall)

    plain, found = view(), []
    if look.windows is not None:
        for n, (x, y) in enumerate(points, 1):
            plain.mark(x, y, str(n))
        found += list(_windows(seen, look, points, view))
    entropies = [m for m in look.maps if m.title.startswith("entropy")]
    found += [_map("Branches", m, view()) for m in look.maps if m not in entropies]
    if look.kernel is not None:
        taps = look.kernel.numpy()
        detail = f"mean |weight| of a tap, sum 1: {taps.min():.3g} to {taps.max():.3g}"
        found.append(Panel("Branches", "static context: learned kernel", detail, kernel(taps, tall)))
    if look.shares is not None:
        detail = f"channels from 0 to 1; mean {look.shares.mean().item():.2f}"
        found.append(Panel("Branches", "fusion: share of the dynamic", detail, bars(look.shares.numpy(), tall)))
    found += [_map("Entropy", m, view()) for m in entropies[:MOST_HEADS]]
    return [Panel("The picture", "the picture", f"{width} x {height} pixels", plain.pixels), *found]


def _map(section: str, shown: Map, view: View) -> Panel:
    view.lay(((shown.values - shown.low) / max(shown.high - shown.low, 1e-12)).numpy())
    ends = f"{shown.values.min().item():.4g} to {shown.values.max().item():.4g}"
    detail = f"{ends}; mean {shown.values.mean().item():.4g}; colours from {shown.low:.4g} to {shown.high:.4g}"
    return Panel(section, shown.title, detail, view.pixels)


def _windows(seen: Seen, look: Look, points: list[tuple[float, float]], view: Callable[..., View]) -> Iterator[Panel]:
    """All windows on the whole picture, for each head; then each from near by, and what it prefers."""
    assert look.windows is not None
    assert look.even is not None
    side, step = look.side, look.step
    heads = min(look.windows.shape[0], MOST_HEADS)
    names = [f"head {head + 1}" if look.windows.shape[0] > 1 else "window" for head in range(heads)]
    size = look.size
    cells, weights, preferences = [], [], []
    for x, y in points:
        row, column = (n // step for n in seen.place.cell(x, y, size))
        cells.append((row * step, column * step))
        weights.append(look.windows[:heads, :, row, column].reshape(heads, side, side).numpy())
        even = look.even[:, :, row, column].reshape(1, side, side).numpy()
        # Where windows overlap too little to bring anything from a cell, there is no preference either.
        preferences.append(np.where(even > 0, weights[-1] / np.maximum(even, 1e-12), 1.0))
    top = max(w.max() for w in weights)
    for head, name in enumerate(names):
        panel = view()
        corners = [panel.lay_window(w[head] / top, *cell, size) for cell, w in zip(cells, weights)]
        for n, corner in enumerate(corners, 1):
            panel.name(str(n), (corner[0] - 13, corner[1] - 15))  # outside, so that no cell is hidden
        yield Panel("Windows", f"{name}: all points", f"0 to {top:.3g}", panel.pixels)

    far = max(np.abs(np.log(np.maximum(p, 1e-3))).max() for p in preferences) or 1.0

    def near(section: str, n: int, head: int, values: np.ndarray, scale: str, detail: str) -> Panel:
        row, column = cells[n]
        ends = (0.5 - side, 0.5 + side)  # half a window more than the window, on every side
        x0, x1 = (seen.place.edge(column + end, size[1], 0) for end in ends)
        y0, y1 = (seen.place.edge(row + end, size[0], 1) for end in ends)
        panel = view((x0, y0, x1, y1))
        panel.lay_window(values, row, column, size, scale)
        panel.mark(*points[n])
        title = f"point {n + 1}, {names[head]}{': preference' if scale == PREFERENCE else ''}"
        return Panel(section, title, detail, panel.pixels, n if heads > 1 else 0)

    for n, w in enumerate(weights):
        for head in range(heads):
            detail = f"0 to {top:.3g}; largest {w[head].max():.3g}"
            yield near("Windows at each point", n, head, w[head] / top, AMOUNT, detail)
    for n, p in enumerate(preferences):
        for head in range(heads):
            ratio = 0.5 + 0.5 * np.log(np.maximum(p[head], 1e-3)) / far
            detail = f"{p[head].min():.3g} to {p[head].max():.3g}; blue {np.exp(-far):.3g}, red {np.exp(far):.3g}"
            yield near("Preferences at each point", n, head, ratio, PREFERENCE, detail)


def kernel(taps: np.ndarray, height: int) -> np.ndarray:
    """A k x k kernel as squares with their numbers."""
    pixels = np.full((height, WIDTH, 3), 255, np.uint8)
    k = taps.shape[0]
    cell = max((min(height, WIDTH) - 16) // k, 1)
    left, top = (WIDTH - cell * k) // 2, (height - cell * k) // 2
    shades = np.kron(colours(taps / taps.max()), np.ones((cell, cell, 1), np.uint8))
    pixels[top : top + cell * k, left : left + cell * k] = shades
    for (i, j), tap in np.ndenumerate(taps):
        ink = (0, 0, 0) if tap > 0.6 * taps.max() else (255, 255, 255)
        if cell >= 40:
            at = (left + j * cell + 6, top + i * cell + cell // 2 + 5)
            cv2.putText(pixels, f"{tap:.3f}", at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
    return pixels


def bars(shares: np.ndarray, height: int) -> np.ndarray:
    """How many channels have which share: 20 bars from 0 to 1."""
    pixels = np.full((height, WIDTH, 3), 255, np.uint8)
    counts, _ = np.histogram(shares, 20, (0, 1))
    wide = (WIDTH - 20) // 20
    for n, count in enumerate(counts):
        left, tall = 10 + n * wide, int((height - 50) * count / max(counts.max(), 1))
        if count:
            cv2.rectangle(pixels, (left, height - 26 - tall), (left + wide - 2, height - 26), (150, 90, 60), -1)
    cv2.line(pixels, (10, height - 25), (10 + 20 * wide, height - 25), INK, 1)
    for text, x in (("0", 8), ("0.5", 10 * wide - 2), ("1", 20 * wide + 2)):
        cv2.putText(pixels, text, (x, height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    return pixels
