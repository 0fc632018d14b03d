"""YOLO11 with a gated block at P5 of the backbone and at P4 of the neck, and what the gate does."""

from __future__ import annotations

from .canvas import Canvas

LABEL = (
    "YOLO11 with one block behind P5 of the backbone and one behind P4 of the neck. "
    "The gate adds gamma times the block's output to its input; gamma starts at 0."
)


def draw(theme: str) -> Canvas:
    """The figure of the README."""
    canvas = Canvas(760, 580, LABEL, theme)
    down, up, again, detect = 95, 320, 520, 690
    p3, p4, p5, block = 110, 190, 270, 350
    neck_block, neck_p5 = 250, 312
    canvas.text(down, 20, "backbone", bold=True)
    canvas.text((up + again) / 2, 20, "neck", bold=True)
    canvas.text(detect, 20, "head", bold=True)
    canvas.text(down, 54, "image")
    for y, before, name in ((p3, 66, "P3"), (p4, p3 + 20, "P4"), (p5, p4 + 20, "P5")):
        canvas.arrow((down, before), (down, y - 20))
        canvas.box(down, y, 90, 40, name)
    canvas.arrow((down, p5 + 20), (down, block - 20))
    canvas.box(down, block, 150, 40, "CoTAttention", "ours")

    for x, y, name in ((up, p4, "P4"), (up, p3, "P3"), (again, p4, "P4"), (again, neck_p5, "P5")):
        canvas.box(x, y, 90, 40, name)
    canvas.arrow((down + 45, p3), (up - 45, p3))
    canvas.arrow((down + 45, p4), (up - 45, p4))
    canvas.arrow((down + 75, block), (up, block), (up, p4 + 20))
    canvas.arrow((up, block), (again, block), (again, neck_p5 + 20))
    canvas.arrow((up, p4 - 20), (up, p3 + 20))
    canvas.arrow((up + 45, p3), (again, p3), (again, p4 - 20))
    canvas.arrow((up + 45, p4), (again - 45, p4))
    canvas.arrow((again, p4 + 20), (again, neck_block - 18))
    canvas.box(again, neck_block, 150, 36, "CoTAttention", "ours")
    canvas.arrow((again, neck_block + 18), (again, neck_p5 - 20))

    canvas.box(detect, (p3 + neck_p5) / 2, 80, neck_p5 - p3 + 40, "Detect")
    for x, y in ((again, p3), (again + 75, neck_block), (again + 45, neck_p5)):
        canvas.arrow((x, y), (detect - 40, y))
    canvas.dot((up, block), (again, p3))

    left, top = 20, 430
    canvas.frame(left, top, 720, 135, "every inserted block has a gate: x + gamma * block(x)")
    middle = top + 82
    canvas.text(left + 40, middle, "x")
    canvas.arrow((left + 50, middle), (left + 115, middle))
    canvas.box(left + 180, middle, 130, 40, "block", "ours")
    canvas.arrow((left + 245, middle), (left + 300, middle))
    canvas.box(left + 350, middle, 100, 40, "* gamma", "step")
    canvas.arrow((left + 400, middle), (left + 462, middle))
    canvas.box(left + 480, middle, 36, 36, "+", "step")
    over = middle - 48
    canvas.arrow((left + 80, middle), (left + 80, over), (left + 480, over), (left + 480, middle - 18))
    canvas.dot((left + 80, middle))
    canvas.arrow((left + 498, middle), (left + 540, middle))
    canvas.box(left + 630, middle, 178, 60, "gamma starts at 0:\nnothing changes\nat step 0", "note", size=14)
    return canvas
