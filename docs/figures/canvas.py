"""A small canvas for the figures of the docs: boxes, arrows and words, written as SVG for a light and a dark page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

# Fill, line and text of every kind of box, per colour scheme.
THEMES: dict[str, dict[str, tuple[str, str, str]]] = {
    "light": {
        "plain": ("#eef2f7", "#8496aa", "#1f2933"),
        "ours": ("#ffe2b0", "#c77f13", "#3d2600"),
        "tensor": ("#ffffff", "#8496aa", "#1f2933"),
        "step": ("#dff1e3", "#5b9a6b", "#12301b"),
        "note": ("none", "none", "#4a5765"),
        "line": ("#5c6b7a", "#5c6b7a", "#1f2933"),
    },
    "dark": {
        "plain": ("#26303c", "#70849a", "#e8edf2"),
        "ours": ("#573a08", "#e3a440", "#fff0d6"),
        "tensor": ("#171d24", "#70849a", "#e8edf2"),
        "step": ("#1c3a26", "#6fb483", "#e2f5e7"),
        "note": ("none", "none", "#aab6c3"),
        "line": ("#93a4b5", "#93a4b5", "#e8edf2"),
    },
}
SIZE, LINE = 15, 19  # text size and distance of lines, in pixels
WIDEST = 0.57  # of the text size: the mean width of a letter, with some room

Point = tuple[float, float]


class Canvas:
    """One figure.

    Args:
        width: in pixels.
        height: in pixels.
        label: what the figure shows, for readers who cannot see it.
        theme: `light` or `dark`.
    """

    def __init__(self, width: int, height: int, label: str, theme: str):
        self.width, self.height, self.label, self.colours = width, height, label, THEMES[theme]
        self.parts: list[str] = []

    def box(self, x: float, y: float, w: float, h: float, words: str, kind: str = "plain", size: int = SIZE) -> None:
        """A box around (x, y) with centred lines of text; a line between backticks is set in a fixed-width font.

        Raises:
            ValueError: the text is wider or higher than the box.
        """
        lines = words.split("\n")
        longest = max(len(line.strip("`")) for line in lines)
        if longest * size * WIDEST > w or len(lines) * LINE * size / SIZE > h:
            needs = f"{longest * size * WIDEST:.0f} x {len(lines) * LINE * size / SIZE:.0f}"
            raise ValueError(f"The text {words!r} needs a box of {needs} pixels; got {w} x {h}.")
        fill, edge, ink = self.colours[kind]
        if fill != "none":
            at = f'x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" height="{h:g}" rx="7"'
            self.parts.append(f'<rect {at} fill="{fill}" stroke="{edge}" stroke-width="1.4"/>')
        distance = LINE * size / SIZE
        for i, line in enumerate(lines):
            self.text(x, y + (i - (len(lines) - 1) / 2) * distance, line, size=size, ink=ink)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: int = SIZE,
        anchor: str = "middle",
        bold: bool = False,
        ink: str | None = None,
    ) -> None:
        """One line of text, its middle at height `y`."""
        fixed = words.startswith("`") and words.endswith("`")
        style = f'fill="{ink or self.colours["line"][2]}" font-size="{size - fixed}" text-anchor="{anchor}"'
        style += ' font-weight="600"' if bold else ""
        style += ' font-family="ui-monospace, Menlo, Consolas, monospace"' if fixed else ""
        self.parts.append(f'<text x="{x:g}" y="{y + 0.35 * size:g}" {style}>{escape(words.strip("`"))}</text>')

    def arrow(self, *points: Point, words: str = "", dashed: bool = False, head: bool = True) -> None:
        """A line through the points with a head at the last one; `words` stand beside its longest part."""
        path = " ".join(f"{'ML'[i > 0]}{x:g} {y:g}" for i, (x, y) in enumerate(points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        end = ' marker-end="url(#head)"' if head else ""
        stroke = self.colours["line"][0]
        self.parts.append(f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="1.6"{dash}{end}/>')
        if words:
            (x0, y0), (x1, y1) = max(itertools.pairwise(points), key=lambda ends: _length(*ends))
            x, y, note = (x0 + x1) / 2, (y0 + y1) / 2, self.colours["note"][2]
            if abs(x1 - x0) > abs(y1 - y0):
                self.text(x, y - 11, words, size=13, ink=note)
            else:
                self.text(x + 8, y, words, size=13, anchor="start", ink=note)

    def dot(self, *points: Point) -> None:
        """Where lines part."""
        fill = self.colours["line"][0]
        self.parts += [f'<circle cx="{x:g}" cy="{y:g}" r="3" fill="{fill}"/>' for x, y in points]

    def frame(self, x: float, y: float, w: float, h: float, title: str) -> None:
        """A thin frame with a title above, around boxes that belong together; (x, y) is its corner."""
        stroke = self.colours["note"][2]
        at = f'x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="10"'
        self.parts.append(f'<rect {at} fill="none" stroke="{stroke}" stroke-width="1" stroke-dasharray="2 4"/>')
        self.text(x + 10, y - 12, title, anchor="start", bold=True)

    def svg(self) -> str:
        """The file's text."""
        line = self.colours["line"][0]
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img" aria-label="{escape(self.label)}" '
                f'font-family="system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, DejaVu Sans, sans-serif">',
                f"<title>{escape(self.label)}</title>",
                '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6.5" markerHeight="6.5" '
                f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="{line}"/></marker></defs>',
                *self.parts,
                "</svg>\n",
            ]
        )


def chain(canvas: Canvas, points: Sequence[Point], gaps: Sequence[float]) -> None:
    """Arrows from each of the points to the next one; `gaps` are the half heights (or widths) of their boxes."""
    for (start, end), before, after in zip(itertools.pairwise(points), gaps, gaps[1:]):
        (x0, y0), (x1, y1) = start, end
        if x0 == x1:
            way = 1 if y1 > y0 else -1
            canvas.arrow((x0, y0 + way * before), (x1, y1 - way * after))
        else:
            way = 1 if x1 > x0 else -1
            canvas.arrow((x0 + way * before, y0), (x1 - way * after, y1))


def _length(start: Point, end: Point) -> float:
    return abs(end[0] - start[0]) + abs(end[1] - start[1])
