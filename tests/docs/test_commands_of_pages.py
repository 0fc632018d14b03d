"""Every command and every Python block of the pages runs, or is marked as needing a network."""

from __future__ import annotations

import pytest
import torch

from tests.docs.pages import NETWORK, PAGES, blocks, named, shortened
from tests.docs.runner import Place
from tests.seeded import state

# The READMEs are tested in test_readme.py, other tools in test_clients.py, the others where their subject is.
OWN_TESTS = {"README.md", "README.zh-CN.md", "datasets/README.md", "docs/clients.md", "docs/your-own-block.md"}
# A translation has the same commands (test_translations.py).
RUN = [page for page in PAGES if named(page) not in OWN_TESTS and not page.name.endswith(".zh.md")]
WEIGHTS = {
    **{f"{name}.pt": f"{name}.yaml" for name in ("yolo11n", "yolo11n-cls", "yolo11s-cls", "cotnet101-cls")},
    **{"best.pt": "yolo11n-cot-outlook.yaml", "cotnet101.pt": "cotnet101-cls.yaml"},
}
LANGUAGES = ("bash", "python")


def of_page(page):
    """The blocks of a page that run."""
    found = [block for block in blocks(page.read_text(encoding="utf-8")) if block.language in LANGUAGES]
    return [block for block in found if block.mark != NETWORK]


@pytest.mark.parametrize("page", [page for page in RUN if of_page(page)], ids=named)
def test_what_downloads_is_marked(page):
    for block in of_page(page):
        assert "pip install" not in block.text or "VENV" in block.text or ".venv" in block.text, block.line


def _mark(page):
    """The page on networks takes as long as all others together, so it is run weekly."""
    return pytest.mark.sweep if page.stem == "networks" else pytest.mark.slow


@pytest.mark.parametrize("page", [pytest.param(p, marks=_mark(p), id=named(p)) for p in RUN if of_page(p)])
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch):
    place = Place(tmp_path, monkeypatch)
    text = page.read_text(encoding="utf-8")
    for name in ("coco8.yaml", "bccd.yaml", "aquarium.yaml"):
        place.data_set(name)
    place.class_folder("path/to/folder")
    place.pictures("images")
    if "clip.mp4" in text:
        place.film("clip.mp4")
    for name, model in WEIGHTS.items():
        if name in text:
            place.weights(name, model)
    if "cotnet50.pth" in text:
        torch.save(state("cotnet50"), "cotnet50.pth")
    for block in of_page(page):
        place.run(block)


def test_commands_are_made_short_and_stay_commands():
    words = ["yolo-cot", "ablate", "models=a.yaml,b.yaml,c.yaml", "seeds=5", "epochs=50", "imgsz=416"]
    short = shortened(words)
    assert short[:2] == ["yolo-cot", "ablate"]
    assert {"models=a.yaml,b.yaml", "seeds=2", "epochs=1", "imgsz=64", "device=cpu", "controls=False"} <= set(short)
    assert {"epochs=1", "imgsz=64"} <= set(shortened(["yolo-cot", "detect", "train", "model=a.yaml"]))
    assert "sd=0.6" in shortened(["yolo-cot", "ablate", "plan=1.0", "project=runs/ablate"])
    assert shortened(["yolo-cot", "lint", "a.yaml"]) == ["yolo-cot", "lint", "a.yaml"]
