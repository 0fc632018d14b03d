"""Build the demo page: train the model, export it with its attention maps, take onnxruntime-web from the npm registry.

    python docs/demo/build.py site/demo/app             # as published: some minutes on two cores
    python docs/demo/build.py site/demo/app epochs=1    # a quick look

The result is a folder of static files, about 21 MB, that any web server can hand out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from ultralytics import YOLO

from yolo_cot.commands.quickstart.recipe import RECIPE
from yolo_cot.nn.cot import PositionSoftmax

HERE = Path(__file__).parent
PAGE = ("index.html", "demo.css", "demo.js", "detect.js", "words.js")
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
SIDE, SAMPLES = int(RECIPE["imgsz"]), 8
# Smaller tensors stay in single precision.
LARGE = 1024


class WithAttention(nn.Module):
    """A detector that also gives the weight of each position in its CoTAttention blocks, in multiples of an even one.

    Args:
        model: a fused detector of Ultralytics, in evaluation.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        rows = {name: m for name, m in model.named_modules() if isinstance(m, PositionSoftmax)}
        self.blocks = [int(name.split(".")[1]) for name in rows]
        self._maps: list[Tensor] = []
        for module in rows.values():
            module.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        _, attention, _ = inputs
        b, c, h, w = attention.shape
        weights = attention.reshape(b, c, h * w).softmax(2).mean(1) * (h * w)
        self._maps.append(weights.reshape(b, h, w))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Boxes and class scores (B, 4 + classes, anchors), then a map (B, H, W) for each block."""
        self._maps.clear()
        output = self.model(images)
        return (output[0] if isinstance(output, (tuple, list)) else output, *self._maps)


def train(epochs: int, folder: Path) -> Path:
    """Train yolo11n-cot on the embedded set; returns the checkpoint."""
    settings = {**{key: value for key, value in RECIPE.items() if key != "split"}, "epochs": epochs}
    model = YOLO("yolo11n-cot.yaml")
    model.train(data="shapes.yaml", project=str(folder), name="demo", plots=False, **settings)
    return Path(model.trainer.best)


def deployed(weights: Path) -> WithAttention:
    """The checkpoint as it is exported: fused, with large tensors rounded to what half precision can hold."""
    model = YOLO(weights).model.float().eval().fuse(verbose=False)
    head = model.model[-1]
    head.export, head.format = True, "onnx"
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() >= LARGE:
                parameter.copy_(parameter.half().float())
    return WithAttention(model)


def export(model: WithAttention, file: Path) -> None:
    """Write the ONNX file; its large tensors are stored in half precision and computed with in single precision."""
    names = ["output0", *(f"attention_{row}" for row in model.blocks)]
    image = torch.zeros(1, 3, SIDE, SIDE)
    with torch.no_grad():
        torch.onnx.export(
            model, (image,), str(file), input_names=["images"], output_names=names, opset_version=17, dynamo=False
        )
    loaded = onnx.load(file)
    casts = []
    for tensor in loaded.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LARGE:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *loaded.graph.node]
    del loaded.graph.node[:]
    loaded.graph.node.extend(nodes)
    onnx.checker.check_model(loaded)
    onnx.save(loaded, file)


def runtime(folder: Path) -> None:
    """Fetch onnxruntime-web with npm and copy what the page needs of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("The demo page takes onnxruntime-web with npm, which is missing. Install Node.js.")
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(HERE / "package.json", place)
        subprocess.run([npm, "install", "--no-audit", "--no-fund", "--silent"], cwd=place, check=True)
        folder.mkdir(parents=True, exist_ok=True)
        for name in RUNTIME:
            shutil.copy(Path(place) / "node_modules" / "onnxruntime-web" / "dist" / name, folder)


def build(out: Path, weights: Path | None = None, epochs: int = int(RECIPE["epochs"])) -> Path:
    """Write the whole page.

    Args:
        out: the folder to write; files in it are replaced.
        weights: a checkpoint of yolo11n-cot; None trains one.
        epochs: of that training.
    """
    from ultralytics.data.utils import check_det_dataset

    (out / "samples").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        model = deployed(weights or train(epochs, Path(place)))
    export(model, out / "model.onnx")
    data = check_det_dataset("shapes.yaml")
    pictures = sorted(Path(data["test"]).glob("*.png"))[:SAMPLES]
    for file in pictures:
        shutil.copy(file, out / "samples")
    about = {
        "side": SIDE,
        "names": list(data["names"].values()),
        "blocks": [{"output": f"attention_{row}", "name": f"CoTAttention, row {row}"} for row in model.blocks],
        "samples": [file.name for file in pictures],
    }
    (out / "model.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    for name in PAGE:
        shutil.copy(HERE / name, out)
    runtime(out / "ort")
    return out


def main() -> None:
    """Read the folder and the number of epochs."""
    folder, *rest = sys.argv[1:]
    given = dict(word.split("=", 1) for word in rest)
    out = build(Path(folder), epochs=int(given.get("epochs", RECIPE["epochs"])))
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
