"""The blocks, each as the way of a feature map through it."""

from __future__ import annotations

from .canvas import Canvas

TOP, MIDDLE, LOW = 50, 140, 230  # the lanes of a figure


def cot_attention(theme: str) -> Canvas:
    """The tutorials' block."""
    label = "CoTAttention: a static k x k context plus values weighted by a softmax over all positions."
    canvas = Canvas(760, 280, label, theme)
    _three_lanes(canvas, "k x k conv\nBN, ReLU", "1x1 conv, BN, ReLU\n1x1 conv", "1x1 conv\nBN")
    canvas.box(440, MIDDLE, 140, 48, "softmax over\nH * W", "ours")
    canvas.arrow((325, MIDDLE), (370, MIDDLE))
    canvas.arrow((510, MIDDLE), (567, MIDDLE))
    canvas.box(585, MIDDLE, 36, 36, "*", "step")
    canvas.arrow((225, LOW), (585, LOW), (585, MIDDLE + 18), words="values")
    canvas.arrow((585, MIDDLE - 18), (585, TOP + 18))
    canvas.box(585, TOP, 36, 36, "+", "step")
    canvas.arrow((225, TOP), (567, TOP), words="static context")
    canvas.arrow((603, TOP), (690, TOP))
    canvas.text(705, TOP, "y", anchor="start")
    return canvas


def cot_block(theme: str) -> Canvas:
    """The paper's block."""
    label = "CoTBlock: every pixel's k x k neighbours mixed with weights of its own, fused with a static context."
    canvas = Canvas(760, 280, label, theme)
    _three_lanes(canvas, "k x k conv\nBN, ReLU", "1x1 conv, BN, ReLU\n1x1 conv, group norm", "1x1 conv\nBN")
    canvas.box(455, LOW, 170, 48, "mix k x k neighbours\nBN, SiLU", "ours", size=14)
    canvas.arrow((345, MIDDLE), (455, MIDDLE), (455, LOW - 24), words="k * k weights")
    canvas.arrow((225, LOW), (370, LOW), words="values")
    canvas.box(640, TOP, 140, 48, "channel attention\nof the two", "step", size=14)
    canvas.arrow((225, TOP), (570, TOP), words="static context")
    canvas.arrow((540, LOW), (640, LOW), (640, TOP + 24), words="dynamic")
    canvas.arrow((710, TOP), (738, TOP))
    canvas.text(742, TOP, "y", anchor="start")
    return canvas


def outlook_attention(theme: str) -> Canvas:
    """VOLO's attention, and the reach of its windows."""
    label = "OutlookAttention: each pixel predicts how the values of its window mix; overlapping windows are added."
    canvas = Canvas(760, 290, label, theme)
    canvas.text(20, TOP, "x")
    canvas.arrow((30, TOP), (75, TOP))
    canvas.box(145, TOP, 140, 40, "1x1 conv")
    canvas.arrow((55, TOP), (55, MIDDLE), (75, MIDDLE))
    canvas.dot((55, TOP))
    canvas.box(145, MIDDLE, 140, 48, "1x1 conv to\nheads * k^4")
    canvas.arrow((215, MIDDLE), (250, MIDDLE))
    canvas.box(325, MIDDLE, 150, 48, "softmax over the\nk * k values", "ours")
    canvas.arrow((325, MIDDLE - 24), (325, TOP + 24))
    canvas.arrow((215, TOP), (250, TOP), words="v")
    canvas.box(325, TOP, 150, 48, "mix each window,\nadd overlaps", "ours")
    canvas.arrow((400, TOP), (430, TOP))
    canvas.box(480, TOP, 100, 40, "1x1 conv")
    canvas.arrow((530, TOP), (555, TOP))
    canvas.text(560, TOP, "y", anchor="start")
    _reach(canvas, 600, 70)
    canvas.text(80, 205, "With k = 3 a pixel lies in nine windows.", anchor="start", size=14)
    canvas.text(80, 227, "Together they reach 5 x 5 cells, so the block is a", anchor="start", size=14)
    canvas.text(80, 249, "mix of 25 neighbours with weights of every pixel's own.", anchor="start", size=14)
    return canvas


def local_self_attention(theme: str) -> Canvas:
    """The self-attention that the paper starts from."""
    label = "LocalSelfAttention: a softmax over each pixel's k x k neighbours, with learned relative positions."
    canvas = Canvas(760, 280, label, theme)
    canvas.text(20, MIDDLE, "x")
    canvas.arrow((30, MIDDLE), (75, MIDDLE))
    for y, name in ((TOP, "queries"), (MIDDLE, "keys"), (LOW, "values")):
        if y != MIDDLE:
            canvas.arrow((55, MIDDLE), (55, y), (75, y))
        canvas.box(145, y, 140, 40, f"1x1 conv: {name}", size=14)
    canvas.dot((55, MIDDLE))
    canvas.box(350, (TOP + MIDDLE) / 2, 190, 62, "query * key of k x k\nneighbours, + position", "ours", size=14)
    canvas.arrow((215, TOP), (255, TOP + 30))
    canvas.arrow((215, MIDDLE), (255, MIDDLE - 30))
    canvas.arrow((445, 95), (490, 95))
    canvas.box(565, 95, 150, 48, "softmax over\nk * k", "ours")
    canvas.arrow((565, 119), (565, LOW - 24))
    canvas.box(565, LOW, 150, 48, "mix k x k\nneighbours", "ours")
    canvas.arrow((215, LOW), (490, LOW))
    canvas.arrow((640, LOW), (700, LOW))
    canvas.text(706, LOW, "y", anchor="start")
    return canvas


def outlooker(theme: str) -> Canvas:
    """Outlook attention and MLP."""
    label = "Outlooker: outlook attention, then an MLP, each behind a layer norm and with a shortcut."
    canvas = Canvas(760, 130, label, theme)
    y, over = 85, 30
    canvas.text(20, y, "x")
    canvas.arrow((30, y), (70, y))
    canvas.box(110, y, 80, 40, "LN")
    canvas.arrow((150, y), (175, y))
    canvas.box(255, y, 160, 40, "OutlookAttention", "ours")
    canvas.arrow((335, y), (367, y))
    canvas.box(385, y, 36, 36, "+", "step")
    canvas.arrow((50, y), (50, over), (385, over), (385, y - 18))
    canvas.arrow((403, y), (450, y))
    canvas.box(490, y, 80, 40, "LN")
    canvas.arrow((530, y), (555, y))
    canvas.box(600, y, 90, 40, "MLP")
    canvas.arrow((645, y), (667, y))
    canvas.box(685, y, 36, 36, "+", "step")
    canvas.arrow((425, y), (425, over), (685, over), (685, y - 18))
    canvas.dot((50, y), (425, y))
    canvas.arrow((703, y), (735, y))
    canvas.text(740, y, "y", anchor="start")
    return canvas


def c3k2(theme: str) -> Canvas:
    """Where a block stands in C3k2."""
    label = "C3k2 with a block: the second 3 x 3 convolution of each bottleneck is replaced by the block."
    canvas = Canvas(760, 250, label, theme)
    y = 60
    canvas.text(20, y, "x")
    canvas.arrow((30, y), (65, y))
    canvas.box(115, y, 100, 40, "1x1 conv")
    canvas.arrow((165, y), (205, y))
    canvas.box(245, y, 80, 40, "split")
    canvas.arrow((285, y), (330, y))
    canvas.box(405, y, 150, 40, "n bottlenecks", "ours")
    canvas.arrow((480, y), (525, y))
    canvas.box(570, y, 90, 40, "Concat")
    canvas.arrow((245, y - 20), (245, 15), (570, 15), (570, y - 20))
    canvas.arrow((615, y), (645, y))
    canvas.box(690, y, 90, 40, "1x1 conv")
    canvas.arrow((735, y), (752, y))
    left, top = 150, 135
    canvas.frame(left, top, 500, 100, "one bottleneck")
    middle = top + 62
    canvas.arrow((left + 15, middle), (left + 60, middle))
    canvas.box(left + 110, middle, 100, 40, "3x3 conv")
    canvas.arrow((left + 160, middle), (left + 195, middle))
    canvas.box(left + 275, middle, 160, 40, "block, 1x1 conv*", "ours")
    canvas.arrow((left + 355, middle), (left + 407, middle))
    canvas.box(left + 425, middle, 36, 36, "+", "step")
    canvas.arrow((left + 35, middle), (left + 35, top + 20), (left + 425, top + 20), (left + 425, middle - 18))
    canvas.dot((left + 35, middle))
    canvas.arrow((left + 443, middle), (left + 485, middle))
    return canvas


def _three_lanes(canvas: Canvas, top: str, middle: str, low: str) -> None:
    """Input at the left; what it and the static context become."""
    canvas.text(20, TOP, "x")
    canvas.arrow((30, TOP), (85, TOP))
    canvas.box(155, TOP, 140, 48, top)
    wide = max(len(line) for line in middle.split("\n")) > 18
    canvas.box(235 if not wide else 250, MIDDLE, 180 if not wide else 190, 48, middle, size=15 if not wide else 14)
    canvas.arrow((55, TOP), (55, LOW), (85, LOW))
    canvas.arrow((55, MIDDLE), (145 if not wide else 155, MIDDLE))
    canvas.arrow((250, TOP), (250, MIDDLE - 24))
    canvas.dot((55, TOP), (55, MIDDLE), (250, TOP))
    canvas.box(155, LOW, 140, 48, low)


def _reach(canvas: Canvas, left: float, top: float, cell: float = 26) -> None:
    """A grid of 5 x 5 cells with the window of the pixel in the middle and that of a neighbour."""
    plain, ours = canvas.colours["plain"], canvas.colours["ours"]
    for row in range(5):
        for column in range(5):
            fill = ours[0] if row == column == 2 else plain[0]
            at = f'x="{left + column * cell:g}" y="{top + row * cell:g}" width="{cell:g}" height="{cell:g}"'
            canvas.parts.append(f'<rect {at} fill="{fill}" stroke="{plain[1]}" stroke-width="0.7"/>')
    for row, column in ((1, 1), (0, 2)):
        at = f'x="{left + column * cell:g}" y="{top + row * cell:g}" width="{3 * cell:g}" height="{3 * cell:g}"'
        canvas.parts.append(f'<rect {at} fill="none" stroke="{ours[1]}" stroke-width="2.5"/>')
    canvas.text(left + 2.5 * cell, top + 5 * cell + 18, "windows that hold", size=13)
    canvas.text(left + 2.5 * cell, top + 5 * cell + 36, "the middle pixel", size=13)
