"""The papers' own claim in small: which parts of the Contextual Transformer block help a classifier of equal size.

    python docs/evidence/fusion.py bccd=bccd.yaml aquarium=aquarium.yaml out=runs/gates part=0/1

One small residual network, each time with another block in its bottlenecks, sorts crops of the boxes of both sets into
their ten classes. The plan is in plan.md; `fusion_tables.py` reads the result.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml
from torch import Tensor, nn
from trainings import Rows, arguments, share, table
from ultralytics.nn.modules import Conv

from yolo_cot.nn import CoTBlock, LocalSelfAttention

SIDE, SEEDS, EPOCHS, BATCH, RATE = 32, range(5), 15, 64, 3e-3
# Pictures of one class at most, to train and to measure on.
MOST = {"train": 200, "val": 100}
# Channels of the two stages, and of the full block in their bottlenecks.
WIDTHS, MIDDLES = (32, 64), (16, 32)
BLOCKS: dict[str, Callable[[int], nn.Module]] = {
    "attention": lambda c: CoTBlock(c),
    "static": lambda c: CoTBlock(c, fusion="static"),
    "dynamic": lambda c: CoTBlock(c, fusion="dynamic"),
    "linear": lambda c: CoTBlock(c, fusion="linear"),
    "self-attention": lambda c: nn.Sequential(LocalSelfAttention(c, num_heads=c // 8), nn.BatchNorm2d(c), nn.ReLU()),
    "convolution": lambda c: Conv(c, c, 3, act=nn.ReLU()),
}


class Bottleneck(nn.Module):
    """A residual bottleneck around a block, as in ResNet."""

    def __init__(self, c: int, middle: int, block: Callable[[int], nn.Module]):
        super().__init__()
        self.inside = nn.Sequential(Conv(c, middle, act=nn.ReLU()), block(middle), Conv(middle, c, act=False))

    def forward(self, x: Tensor) -> Tensor:
        """Add what the block gives, and rectify."""
        return (x + self.inside(x)).relu()


def network(block: Callable[[int], nn.Module], middles: tuple[int, ...], classes: int) -> nn.Sequential:
    """Two stages of two bottlenecks, at a half and a quarter of the picture's side."""
    return nn.Sequential(
        Conv(3, WIDTHS[0], 3, 2, act=nn.ReLU()),
        *(Bottleneck(WIDTHS[0], middles[0], block) for _ in range(2)),
        Conv(*WIDTHS, 3, 2, act=nn.ReLU()),
        *(Bottleneck(WIDTHS[1], middles[1], block) for _ in range(2)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(WIDTHS[1], classes),
    )


def size(model: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in model.parameters())


def equal(block: Callable[[int], nn.Module], classes: int) -> tuple[int, ...]:
    """The widths inside the bottlenecks that bring the network nearest to the size of that with the full block."""
    aim = size(network(BLOCKS["attention"], MIDDLES, classes))
    widths = [w for w in product(range(8, 73, 8), range(8, 73, 8)) if w[0] <= w[1] <= 3 * w[0]]
    return min(widths, key=lambda middles: abs(size(network(block, middles, classes)) - aim))


def crops(file: Path, split: str, first: int) -> tuple[list[np.ndarray], list[int]]:
    """The boxes of a split, cut out and resized, the same number of every class where there are enough."""
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    pictures = file.parent / values[split]
    found: dict[int, list[np.ndarray]] = {kind: [] for kind in range(len(values["names"]))}
    for label in sorted(Path(str(pictures).replace("images", "labels")).glob("*.txt")):
        picture = cv2.imread(str(pictures / f"{label.stem}.jpg"))
        height, width = picture.shape[:2]
        for line in label.read_text(encoding="utf-8").splitlines():
            kind, x, y, w, h = (float(v) for v in line.split()[:5])
            top, bottom = (min(max(int((y + side * h / 2) * height), 0), height) for side in (-1, 1))
            left, right = (min(max(int((x + side * w / 2) * width), 0), width) for side in (-1, 1))
            if min(bottom - top, right - left) >= 8 and len(found[int(kind)]) < MOST[split]:
                found[int(kind)].append(cv2.resize(picture[top:bottom, left:right], (SIDE, SIDE)))
    return [cut for every in found.values() for cut in every], [
        first + kind for kind, cut in found.items() for _ in cut
    ]


def pictures(files: list[Path], split: str) -> tuple[Tensor, Tensor]:
    """Crops of all sets as (N, 3, SIDE, SIDE) and their classes; each set's classes follow those of the one before."""
    every: list[np.ndarray] = []
    classes: list[int] = []
    for file in files:
        cut, kinds = crops(file, split, max(classes, default=-1) + 1)
        every, classes = every + cut, classes + kinds
    return torch.from_numpy(np.stack(every)).permute(0, 3, 1, 2).float() / 127.5 - 1, torch.tensor(classes)


def balanced(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Mean over the classes of the share of their pictures that are named right."""
    with torch.no_grad():
        right = torch.cat([model.eval()(part).argmax(1) for part in x.split(256)]) == y
    return float(torch.stack([right[y == kind].float().mean() for kind in y.unique()]).mean())


def train(model: nn.Module, x: Tensor, y: Tensor, seed: int) -> None:
    """AdamW with a cosine schedule; pictures in an order, and mirrored, by the seed, the same for every model."""
    random = torch.Generator().manual_seed(seed)
    steps = EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(x), generator=random)[: len(x) // BATCH * BATCH].split(BATCH):
            mirrored = torch.rand(BATCH, 1, 1, 1, generator=random) < 0.5
            batch = torch.where(mirrored, x[part].flip(-1), x[part])
            optimizer.zero_grad()
            nn.functional.cross_entropy(model.train()(batch), y[part]).backward()
            optimizer.step()
            schedule.step()


def main() -> None:
    """Make the trainings of this part."""
    torch.set_num_threads(1)
    given = arguments()
    files = [Path(given[name]) for name in ("bccd", "aquarium")]
    (x, y), (x_val, y_val) = pictures(files, "train"), pictures(files, "val")
    classes, part = int(y.max()) + 1, given.get("part", "0/1")

    def make(seed: int, name: str) -> tuple[dict[str, float], Rows]:
        middles = equal(BLOCKS[name], classes)
        torch.manual_seed(seed)
        model = network(BLOCKS[name], middles, classes)
        train(model, x, y, seed)
        return {"parameters": size(model), "accuracy": balanced(model, x_val, y_val)}, []

    jobs = share(list(product(SEEDS, BLOCKS)), part)
    table(Path(given["out"]) / f"fusion-{part[0]}.csv", ("seed", "block"), jobs, make)


if __name__ == "__main__":
    main()
