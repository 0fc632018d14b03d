"""Write every figure of the docs, once for light pages and once for dark ones: `python -m docs.figures`."""

from __future__ import annotations

from pathlib import Path

from . import overview, row
from .canvas import THEMES

FIGURES = {"overview": overview.draw, "row": row.draw}
FOLDER = Path(__file__).parent


def main() -> None:
    """Write all files beside this one."""
    for name, draw in FIGURES.items():
        for theme in THEMES:
            (FOLDER / f"{name}-{theme}.svg").write_text(draw(theme).svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
