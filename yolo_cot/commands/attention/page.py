"""The pages: one for each picture, and an index. Relative links, nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from urllib.parse import quote

from .sheet import Placed
from .watch import Block

NAMES = {
    "entropy": "entropy, nats",
    "entropy_relative": "entropy, 1 = no preference",
    "dynamic_share": "share of the dynamic branch",
    "dynamic_rms": "dynamic branch, RMS",
    "static_rms": "static branch, RMS",
    "fusion_share": "dynamic share in the fusion",
    "gate_abs": "gate, mean |gamma|",
    "gate_mean": "gate, mean gamma",
}
STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 80rem; }
h1 { font-size: 1.5rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1rem;
  overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { max-width: 48rem; }
img { max-width: 100%; height: auto; }
.grid { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(max(min(9rem, 45%), 100% / var(--abreast) - .75rem), 1fr)); }
figure { margin: 0; }
figure svg, figure img { display: block; width: 100%; height: auto; border-radius: 4px; background: #fff; }
figcaption { font-size: .8rem; line-height: 1.35; margin-top: .25rem; overflow-wrap: anywhere; }
figcaption span { opacity: .75; display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .75rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
th { font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
.scale { display: inline-block; width: 6rem; height: .8rem; border-radius: 3px; vertical-align: middle; }
.amount { background: linear-gradient(90deg, #000004, #420a68, #932667, #dd513a, #fca50a, #fcffa4); }
.preference { background: linear-gradient(90deg, #053061, #4393c3, #f7f7f7, #d6604d, #67001f); }
@media (max-width: 48rem) {
  table, tbody, tr, td { display: block; }
  tr:first-child, td:empty { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  td { border: 0; padding: 0; display: flex; justify-content: space-between; gap: 1rem; }
  td:first-child { font-weight: 600; }
  td[data-name]::before { content: attr(data-name); }
}
"""


@dataclass
class Sheet:
    """A block's contact sheet of one picture.

    Attributes:
        block: the block.
        file: the sheet's file, relative to the index.
        size: its width and height.
        panels: what stands on it.
        numbers: what was counted.
        heads: the same for each head, if there are several.
    """

    block: Block
    file: str
    size: tuple[int, int]
    panels: list[Placed]
    numbers: Mapping[str, float]
    heads: Sequence[Mapping[str, float]]


@dataclass
class Shown:
    """A picture on the pages.

    Attributes:
        name: its file's name, with the frame of a video.
        folder: the folder of its page and sheets, relative to the index.
        size: width and height of the picture.
        points: the points whose windows are shown.
        chosen: what those points are.
        sheets: one for each block.
    """

    name: str
    folder: str
    size: tuple[int, int]
    points: list[tuple[float, float]]
    chosen: str
    sheets: list[Sheet]


def picture_page(shown: Shown, model: str, root: str, several: bool) -> str:
    """The page of one picture.

    Args:
        shown: the picture.
        model: the model's name.
        root: how the page's links reach the index's folder: "" or "../".
        several: whether there is an index to go back to.
    """
    back = f'<nav><a href="{root}index.html">All pictures</a></nav>' if several else ""
    places = "; ".join(f"{n}: {x:.0f},{y:.0f}" for n, (x, y) in enumerate(shown.points, 1))
    points = f" Points ({escape(shown.chosen)}; x,y in pixels): {places}." if shown.points else ""
    body = [
        f"<h1>What {escape(model)} looks at in {escape(shown.name)}</h1>{back}",
        f"<p>{shown.size[0]} x {shown.size[1]} pixels.{points} {_SCALE}</p>",
        table([shown]),
        *(_section(sheet, root) for sheet in shown.sheets),
    ]
    return _page(f"{shown.name}: attention", body)


def index_page(all_shown: Sequence[Shown], model: str, skipped: Sequence[str]) -> str:
    """The index: every picture with a link to its page, and the means over all of them."""
    first = all_shown[0].sheets
    names = ", ".join(escape(sheet.block.title) for sheet in first)
    left_out = f"<p>Not shown: {escape('; '.join(skipped))}</p>" if skipped else ""
    cards = []
    for shown in all_shown:
        page, picture = (_href(f"{shown.folder}/{file}") for file in ("index.html", "picture.jpg"))
        cards.append(
            f'<figure><a href="{page}"><img src="{picture}" alt="" loading="lazy"></a>'
            f'<figcaption><a href="{page}">{escape(shown.name)}</a></figcaption></figure>'
        )
    body = [
        f"<h1>What {escape(model)} looks at in {len(all_shown)} pictures</h1>",
        f"<p>Blocks: {names}.</p>{left_out}<h2>Pictures</h2>",
        f'<div class="grid" style="--abreast: 6">{"".join(cards)}</div>',
        f"<h2>Means over all pictures</h2>{table(all_shown)}",
    ]
    return _page(f"{model}: attention", body)


def table(all_shown: Sequence[Shown]) -> str:
    """A row for each block: the means of its numbers over the pictures."""
    blocks = {sheet.block.path: sheet.block for sheet in all_shown[0].sheets}
    counted: dict[str, dict[str, list[float]]] = {path: {} for path in blocks}
    for shown in all_shown:
        for sheet in shown.sheets:
            for name, value in sheet.numbers.items():
                counted[sheet.block.path].setdefault(name, []).append(value)
    means = {path: {name: sum(v) / len(v) for name, v in numbers.items()} for path, numbers in counted.items()}
    return _table("block", [(block.title, means[path]) for path, block in blocks.items()])


def _table(first: str, rows: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    """Rows of a name and numbers; on a narrow screen, each row is a list."""
    used = [name for name in NAMES if any(name in numbers for _, numbers in rows)]
    head = "".join(f"<th>{NAMES[name]}</th>" for name in used)
    lines = []
    for title, numbers in rows:
        cells = (
            f'<td data-name="{NAMES[name]}">{numbers[name]:.4g}</td>' if name in numbers else "<td></td>"
            for name in used
        )
        lines.append(f"<tr><td>{escape(title)}</td>{''.join(cells)}</tr>")
    return f'<div class="wide"><table><tr><th>{first}</th>{head}</tr>{"".join(lines)}</table></div>'


def _section(sheet: Sheet, root: str) -> str:
    """One block: how to read it, its panels, and the numbers of its heads."""
    parts = [f"<h2>{escape(sheet.block.title)}</h2><p>{escape(sheet.block.kind.help)}</p>"]
    for title, group in groupby(sheet.panels, key=lambda panel: panel.section):
        shown = list(group)
        figures = "".join(
            f"<figure>{_crop(sheet, panel, panel.title, root)}"
            f"<figcaption>{escape(panel.title)}<span>{escape(panel.detail)}</span></figcaption></figure>"
            for panel in shown
        )
        abreast = max(3, shown[0].abreast)
        parts.append(f'<h3>{title}</h3><div class="grid" style="--abreast: {abreast}">{figures}</div>')
    if sheet.heads:
        rows = [(f"head {n}", numbers) for n, numbers in enumerate(sheet.heads, 1)]
        parts.append(f"<h3>Heads</h3>{_table('head', rows)}")
    parts.append(f'<p><a href="{root}{_href(sheet.file)}">The whole sheet as one picture</a></p>')
    return f"<section>{''.join(parts)}</section>"


def _crop(sheet: Sheet, panel: Placed, label: str, root: str) -> str:
    """A panel, cut out of its sheet by the browser."""
    box = f"{panel.left} {panel.top} {panel.width} {panel.height}"
    size = f'width="{sheet.size[0]}" height="{sheet.size[1]}"'
    return (
        f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}">'
        f'<image href="{root}{_href(sheet.file)}" {size}/></svg>'
    )


def _href(path: str) -> str:
    return quote(path)


_SCALE = (
    'Colours of amounts: <span class="scale amount"></span> from the lowest to the highest value that the caption '
    "names. "
    'Colours of preferences: <span class="scale preference"></span> from less (blue) over 1 (white) to more (red).'
)


def _page(title: str, body: Sequence[str]) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>{chr(10).join(body)}</body></html>\n"
    )
