"""The way of a YAML row to a module: what happens to it, and in which file."""

from __future__ import annotations

from .canvas import Canvas

LABEL = "The way of a row of a model YAML to a module, with the file of each step."
# What happens, and the file of the package in which it happens.
STEPS = (
    ("the YAML is found by its name", "plugin/hooks/config_yaml.py"),
    ("does it name a block of ours?", "plugin/registration.py"),
    ("rows are checked; arguments by name\nget their places", "plugin/rows.py"),
    ("Ultralytics' parser, rewritten, adds the\nchannels of the row above", "plugin/parser.py"),
    ("the constructor checks its arguments\nand makes its sub-modules", "nn/cot.py"),
    ("one run on an empty image; an error\ngets the file and the row", "plugin/hooks/model_init.py"),
    ("pretrained weights: old rows are\npaired with new ones", "plugin/hooks/weights.py"),
)


def draw(theme: str) -> Canvas:
    """The first figure of the design page."""
    distance, first = 84, 110
    canvas = Canvas(760, first + distance * len(STEPS) - 30, LABEL, theme)
    x, file_x = 195, 400
    canvas.box(270, 34, 500, 40, "`- [-1, 1, CoTAttention, [{gate: 0.0}]]`", "tensor")
    before = 54
    for i, (what, file) in enumerate(STEPS):
        y = first + i * distance
        canvas.arrow((x, before), (x, y - 26))
        canvas.box(x, y, 380, 52, what, "ours" if file.startswith("nn/") else "plain")
        canvas.text(file_x, y, f"`{file}`", anchor="start")
        before = y + 26
    no, to = first + distance, file_x + 250
    canvas.arrow((file_x + 218, no), (to, no), (to, no + 28))
    canvas.text(to - 18, no - 12, "no", anchor="start")
    canvas.box(to, no + 54, 190, 50, "Ultralytics' own\nparser, untouched")
    canvas.text(x + 14, no + 42, "yes", anchor="start")
    return canvas
