"""The notebook: in both languages, small, and every cell runs without a network."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILE = ROOT / "notebooks" / "quickstart.ipynb"
NETWORK = "needs-a-network"


@pytest.fixture
def notebook():
    return json.loads(FILE.read_text(encoding="utf-8"))


def source(cell) -> str:
    return "".join(cell["source"])


def test_every_text_is_there_in_both_languages(notebook):
    texts = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert len(texts) > 6
    assert [text for text in texts if not (re.search(r"[一-鿿]", text) and re.search(r"[A-Za-z]{4}", text))] == []


def test_only_the_installation_needs_a_network(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [source(cell) for cell in code if NETWORK in cell["metadata"].get("tags", [])] == [
        '%pip install -q "yolo-cot[export]"'
    ]
    assert not [source(cell) for cell in code[1:] if "pip install" in source(cell) or "http" in source(cell)]


def test_the_kept_outputs_are_small_and_hold_no_error_and_no_path(notebook):
    assert len(FILE.read_bytes()) < 300_000
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert len(outputs) > 6
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not re.search(r"/(?:home|tmp|work|root|Users)/", json.dumps([o.get("text", "") for o in outputs]))


@pytest.mark.slow
def test_every_cell_runs(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason='running the notebook needs pip install "yolo-cot[docs]"')
    pytest.importorskip("ipykernel", reason='running the notebook needs pip install "yolo-cot[docs]"')
    import nbformat

    # The kernel is no test, and its commands are those of this environment.
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    notebook = nbformat.read(FILE, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if NETWORK not in cell.metadata.get("tags", [])]
    client = nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    said = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "OutlookAttention is row 5" in said
    assert "as in PyTorch: True" in said
    assert list(tmp_path.glob("runs/**/best.onnx"))
