"""Write every figure of the docs, once for light pages and once for dark ones: `python -m docs.figures`."""

from __future__ import annotations

from pathlib import Path

from . import blocks, overview, routes, row
from .canvas import THEMES

FIGURES = {
    "overview": overview.draw,
    "row": row.draw,
    "routes": routes.draw,
    "cot-attention": blocks.cot_attention,
    "cot-block": blocks.cot_block,
    "outlook-attention": blocks.outlook_attention,
    "local-self-attention": blocks.local_self_attention,
    "outlooker": blocks.outlooker,
    "c3k2": blocks.c3k2,
}
FOLDER = Path(__file__).parent


def main() -> None:
    """Write all files beside this one."""
    for name, draw in FIGURES.items():
        for theme in THEMES:
            (FOLDER / f"{name}-{theme}.svg").write_text(draw(theme).svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
