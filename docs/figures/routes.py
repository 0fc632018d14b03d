"""The way of a feature map through each block: which file computes it on which route."""

from __future__ import annotations

from collections.abc import Sequence

from .canvas import Canvas

LABEL = (
    "CoTAttention is plain PyTorch on every route. OutlookAttention and CoTBlock call an operation, which asks for the "
    "route once and calls one form."
)
# Route, and the file of the form that runs there.
OUTLOOK = (
    ("eager", "ops/outlook/taps.py"),
    ("compiled", "ops/outlook/compiled.py"),
    ("exported", "ops/outlook/exported.py"),
    ("stride > 1", "ops/outlook/strided.py"),
)
LOCAL_MIX = (
    ("CUDA", "ops/local_mix/cuda.py"),
    ("CPU, wide groups", "ops/local_mix/cpu_bags.py"),
    ("CPU", "ops/local_mix/cpu.py"),
    ("compiled", "ops/local_mix/compiled.py"),
    ("exported", "ops/local_mix/exported.py"),
)
MODULE, CHOICE, FORM, BUS = 95, 315, 660, 430
STEP = 50


def draw(theme: str) -> Canvas:
    """The second figure of the design page."""
    canvas = Canvas(800, 676, LABEL, theme)
    canvas.text(MODULE, 20, "module", bold=True)
    canvas.text(CHOICE, 20, "operation: the choice", bold=True)
    canvas.text(FORM, 20, "form", bold=True)

    canvas.box(MODULE, 70, 170, 46, "CoTAttention\n`nn/cot.py`", "ours")
    canvas.arrow((MODULE + 85, 70), (CHOICE - 95, 70))
    canvas.text(CHOICE - 85, 60, "the same PyTorch operations on every route;", anchor="start", size=14)
    canvas.text(CHOICE - 85, 80, "fused: convolutions of x are one, batch norms are folded", anchor="start", size=14)

    outlook, mix = 150, 400
    middle = outlook + STEP * (len(OUTLOOK) - 1) / 2
    canvas.box(MODULE, middle, 170, 46, "OutlookAttention\n`nn/outlook.py`", "ours")
    canvas.arrow((MODULE + 85, middle), (CHOICE - 100, middle))
    canvas.box(CHOICE, middle, 200, 46, "softmax, route\n`ops/outlook/__init__.py`", "step", size=13)
    _forms(canvas, middle, outlook, OUTLOOK)
    # Two of its forms are local mixes of the taps.
    right, over = FORM + 125, mix - 46
    canvas.arrow((FORM + 110, outlook), (right, outlook), (right, over), (CHOICE, over), (CHOICE, mix + 77), head=False)
    canvas.arrow((FORM + 110, outlook + STEP), (right, outlook + STEP), head=False)
    canvas.dot((right, outlook + STEP))
    canvas.text(CHOICE + 14, over - 12, "taps: one weight for each neighbour", anchor="start", size=13)

    middle = mix + STEP * (len(LOCAL_MIX) - 1) / 2
    canvas.arrow((CHOICE, middle - 30), (CHOICE, middle - 23))
    canvas.box(MODULE, middle, 170, 46, "CoTBlock\n`nn/cot_block.py`", "ours")
    canvas.arrow((MODULE + 85, middle), (CHOICE - 100, middle))
    canvas.box(CHOICE, middle, 200, 46, "check, route\n`ops/local_mix/__init__.py`", "step", size=13)
    _forms(canvas, middle, mix, LOCAL_MIX)
    canvas.text(20, 636, "Fused blocks go the same way.", anchor="start", size=13)
    canvas.text(20, 658, "`nn/gate.py`", anchor="start", size=13)
    note = "On a CPU, fused CoTAttention and CoTBlock take large maps of a batch image by image."
    canvas.text(100, 658, note, anchor="start", size=13)
    return canvas


def _forms(canvas: Canvas, middle: float, first: float, forms: Sequence[tuple[str, str]]) -> None:
    """A bus from the choice to its forms."""
    last = first + STEP * (len(forms) - 1)
    canvas.arrow((CHOICE + 100, middle), (BUS, middle), head=False)
    canvas.arrow((BUS, first), (BUS, last), head=False)
    for i, (route, file) in enumerate(forms):
        y = first + i * STEP
        canvas.arrow((BUS, y), (FORM - 110, y))
        canvas.text(BUS + 6, y - 11, route, anchor="start", size=13)
        canvas.box(FORM, y, 220, 34, f"`{file}`", size=14)
