"""CoTNet's bricks: what they do to a map, and what they refuse."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.tolerances import PARITY, distance
from yolo_cot.nn import CoTNetStage, CoTNetStem
from yolo_cot.nn.cotnet import BlurPool2d


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (2, 9), (1, 1), (1, 4)])
def test_blur_pool_is_the_binomial_filter_at_every_second_pixel(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    line = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect" if min(size) > 1 else "replicate")
    wanted = F.conv2d(padded, (line[:, None] * line).expand(3, 1, 3, 3), stride=2, groups=3)
    assert wanted.shape[2:] == (-(-size[0] // 2), -(-size[1] // 2))
    assert distance(BlurPool2d()(x), wanted) < PARITY


@pytest.mark.parametrize("layer", ["cot", "coxt", "se", "mixed", "tutorial"])
@pytest.mark.parametrize("blur", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 1)])
def test_a_stage_divides_the_map_by_its_stride(layer, blur, stride, size):
    stage = CoTNetStage(16, 64, 2, stride, layer, 0.5, pooled_shortcut=blur, blur=blur).eval()
    y = stage(torch.randn(1, 16, *size))
    assert y.shape == (1, 64, -(-size[0] // stride), -(-size[1] // stride))


def test_the_stems_divide_by_4_and_by_2():
    x = torch.randn(1, 3, 33, 64)
    assert CoTNetStem(3, 32).eval()(x).shape == (1, 32, 9, 16)
    assert CoTNetStem(3, 32, deep=True).eval()(x).shape == (1, 32, 17, 32)


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: CoTNetStage(16, 64, layer="cott"), ValueError, "needs layer to be one of cot, coxt, .*; got 'cott'"),
        (lambda: CoTNetStage(16, 64, stride=3), ValueError, "needs stride 1 or 2; got 3"),
        (lambda: CoTNetStage(16, 64, blur=1), TypeError, "needs True or False for blur; got 1"),
        (lambda: CoTNetStem(3, 33, deep=True), ValueError, "needs an even c2 with deep=True; got c2=33. Use 34"),
        (lambda: CoTNetStage(16, 60), ValueError, "CoTBlock needs c1 divisible by 8, for its groups; got c1=15"),
    ],
)
def test_what_cannot_be_built_is_told(build, error, message):
    with pytest.raises(error, match=message):
        build()
