"""What all tests share: an offline Ultralytics with settings of its own, the folder of real data, and seeds."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

# Before the first import of Ultralytics: settings that touch neither the user's nor the network.
_SETTINGS = Path(tempfile.mkdtemp(prefix="yolo-cot-tests-"))
os.environ["YOLO_CONFIG_DIR"] = str(_SETTINGS)
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
# Tiny tensors gain nothing from threads, and processes that share the cores lose much to them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib  # noqa: E402
import pytest  # noqa: E402

(_SETTINGS / "Ultralytics").mkdir()
# Ultralytics fetches its font at every data set check unless one is there.
shutil.copy(
    Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", _SETTINGS / "Ultralytics" / "Arial.ttf"
)

import torch  # noqa: E402
from ultralytics.utils import LOGGER  # noqa: E402

import yolo_cot  # noqa: E402

ROOT = Path(yolo_cot.__file__).resolve().parent.parent
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images, video and weights beside the checkout."""
    if not (SHARED / "data").is_dir():
        pytest.skip("real images, video and weights are not there: no ../shared/data beside the checkout")
    return SHARED


@pytest.fixture
def said():
    """The lines that Ultralytics logs."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.extend(record.getMessage().splitlines())  # type: ignore[method-assign]
    LOGGER.addHandler(handler)
    yield lines
    LOGGER.removeHandler(handler)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def pytest_sessionfinish(session, exitstatus):
    """Remove the settings folder."""
    shutil.rmtree(_SETTINGS, ignore_errors=True)
