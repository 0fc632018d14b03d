"""How tests/data/tiny-checkpoint.pt was made: `python -m tests.entry_points.keep_checkpoint`, with Ultralytics 8.3.200.

The file is a format test. From the first release on it must keep loading, so it is not to be made again then: a class
that moved, or an attribute that old pickles lack, is to be mended in the package.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
import ultralytics

import yolo_cot
from tests.entry_points import tiny
from tests.entry_points.test_checkpoints import KEPT, features

MODEL = """nc: 2
scales:
  n: [1.0, 1.0, 1024]
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, C3k2CoT, [16, False, 0.5]]
  - [-1, 1, C3k2Outlook, [16, False, 0.5, {num_heads: 2}]]
head:
  - [-1, 1, OutlookAttention, [2, {gate: 0.1}]]
  - [-1, 1, CoTAttention, [{gate: 0.1}]]
  - [[5], 1, Detect, [nc]]
"""


def main() -> None:
    """Train two epochs, take every path of this machine out, write the checkpoint and its output for one image."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "yolo11-kept.yaml").write_text(MODEL)
        settings = {"imgsz": 64, "batch": 4, "device": "cpu", "workers": 0, "plots": False, "amp": False, "epochs": 2}
        model = ultralytics.YOLO(folder / "yolo11n-kept.yaml")
        model.train(data=str(tiny.data(folder / "d")), project=str(folder / "r"), name="t", **settings)
        stored = torch.load(folder / "r" / "t" / "weights" / "last.pt", weights_only=False)
    stored["train_args"] = {"task": "detect", "imgsz": 64, "data": "data.yaml", "model": "yolo11n-kept.yaml"}
    stored["model"].args = {"task": "detect", "imgsz": 64}
    stored["model"].yaml["yaml_file"] = "yolo11n-kept.yaml"
    for key in ("train_results", "git", "license", "docs"):
        stored.pop(key, None)
    torch.save(stored, KEPT)
    with torch.no_grad():
        output = ultralytics.YOLO(KEPT).model(torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64))[0]
    versions = f"ultralytics {ultralytics.__version__}, yolo_cot {yolo_cot.__version__}, torch {torch.__version__}"
    values = [[round(value, 4) for value in row] for row in output[0, :, ::8].tolist()]
    seen = features(ultralytics.YOLO(KEPT).model).numpy().round(4).tolist()
    text = json.dumps({"written_with": versions, "shape": list(output.shape), "values": values, "features": seen})
    KEPT.with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
