"""The demo page in a headless Chromium: the same boxes and maps as PyTorch, at two widths of the window."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from tests.docs.browser import CHROMIUM, Browser

DEMO = ROOT / "docs" / "demo"
FRAME = "document.getElementById('picture').getBoundingClientRect()"
READY = "globalThis.demo?.time > 0"


def test_every_word_is_there_in_both_languages():
    text = (DEMO / "words.js").read_text(encoding="utf-8")
    english, chinese = text.split("  zh: {")
    names = [set(re.findall(r"^    (\w+):", part, re.M)) for part in (english, chinese)]
    assert names[0] == names[1]
    assert len(names[0]) > 10


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint from a short training."""
    pytest.importorskip("onnx")
    if CHROMIUM is None or shutil.which("npm") is None:
        pytest.skip("Chromium or npm is not installed")
    from docs.demo.build import train

    return train(2, tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def page(weights, tmp_path_factory):
    """The built page."""
    pytest.importorskip("tornado", reason='the test drives Chromium with tornado: pip install "yolo-cot[docs]"')
    from docs.demo.build import build

    return build(tmp_path_factory.mktemp("demo") / "app", weights)


@pytest.fixture(scope="module")
def address(page):
    """The page on a server of this machine."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(page))
    handler.log_message = lambda *args: None  # type: ignore[attr-defined]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_the_files_are_small_enough(page):
    assert sum(file.stat().st_size for file in page.rglob("*") if file.is_file()) < 25e6


@pytest.mark.slow
@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)])
def test_boxes_and_maps_are_those_of_pytorch(weights, page, address, width, dark, tmp_path):
    file = sorted((page / "samples").glob("*.png"))[1]
    with Browser() as browser:
        browser.open(address, width=width, dark=dark)
        browser.wait(READY)
        browser.value("Object.assign(document.getElementById('confidence'), {min: 0.01, step: 0.01, value: 0.02}).id")
        browser.value("globalThis.demo.time = 0")
        browser.give_file("#file", file)
        browser.wait(READY)
        boxes = browser.value("globalThis.demo.boxes")
        maps = browser.value("Object.values(globalThis.demo.maps).map(map => [...map.data])")
        before = browser.value("document.getElementById('picture').toDataURL()")
        browser.value("document.getElementById('picture').scrollIntoView()")
        browser.click(*browser.value("(r => [r.left + 0.3 * r.width, r.top + 0.3 * r.height])(" + FRAME + ")"))
        after = browser.value("document.getElementById('picture').toDataURL()")
        said = browser.value("document.getElementById('point').textContent")
        overflow = browser.value("document.documentElement.scrollWidth - window.innerWidth")
        browser.picture(tmp_path / "page.png")
    wanted, wanted_maps = in_pytorch(weights, file)
    assert len(boxes) == len(wanted) > 0
    for got, (box, score, kind) in zip(boxes, wanted):
        assert got["kind"] == kind
        assert got["score"] == pytest.approx(score, abs=1e-3)
        assert got["box"] == pytest.approx(box, abs=0.1)
    for got, expected in zip(maps, wanted_maps):
        np.testing.assert_allclose(got, expected.flatten(), rtol=1e-3)
    assert after != before, "the map is not drawn over the picture"
    assert "CoTAttention" in said
    assert overflow <= 0, "the page is wider than the window"


def in_pytorch(weights: Path, file: Path) -> tuple[list, list]:
    """Boxes with scores and classes, and the maps, of a picture of the model's own size."""
    from torchvision.ops import batched_nms

    from docs.demo.build import SIDE, deployed

    picture = cv2.imread(str(file))[..., ::-1].copy()
    assert picture.shape[:2] == (SIDE, SIDE)
    with torch.no_grad():
        output, *maps = deployed(weights)(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)
    xywh, scores = output[0].T.split((4, output.shape[1] - 4), 1)
    best, kinds = scores.max(1)
    corners = torch.cat((xywh[:, :2] - xywh[:, 2:] / 2, xywh[:, :2] + xywh[:, 2:] / 2), 1)
    above = best >= 0.02
    corners, best, kinds = corners[above], best[above], kinds[above]
    kept = batched_nms(corners, best, kinds, 0.7)
    return [(corners[i].tolist(), best[i].item(), kinds[i].item()) for i in kept], maps


@pytest.mark.slow
def test_the_camera_gives_a_time_for_each_frame(address):
    with Browser() as browser:
        browser.open(address)
        browser.wait(READY)
        browser.value("globalThis.demo.time = 0")
        browser.value("document.getElementById('camera').click()")
        browser.wait(READY)
        assert "ms" in browser.value("document.getElementById('state').textContent")


@pytest.mark.slow
def test_a_file_that_is_no_picture_is_told(address, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    with Browser() as browser:
        browser.open(address)
        browser.wait(READY)
        browser.give_file("#file", tmp_path / "no.png")
        browser.wait("document.getElementById('state').textContent.includes('no picture')")
