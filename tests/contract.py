"""What every block and every config must do. Both enrol by themselves: the catalog's rows, the files on disk."""

from __future__ import annotations

import copy
import functools
import inspect
import io
import pickle
import re

import pytest
import torch
import yaml
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import get_flops, get_num_params

from tests.conftest import ROOT
from tests.live import live, open_gates, output, picture
from tests.runtimes import run_onnx
from tests.tolerances import EXPORTED, FUSED, distance
from yolo_cot.paths import config_dir, configs
from yolo_cot.plugin.catalog import BLOCKS, INSERTABLE

ALL = [path.stem for path in configs()]
# YOLO11 with blocks of ours; the networks have tests of their own in test_networks.py.
CONFIGS = [name for name in ALL if name.startswith("yolo11-")]
# One for each block, as a row and inside C3k2; the others put the same blocks at other places.
IN_EVERY_RUN = {f"yolo11-{idea}" for idea in ("c3k2cot", "c3k2cotblock", "c3k2outlook", "cot-outlook", "cotblock")}
IN_EVERY_RUN |= {"yolo11-outlooker"}
EVERY_CONFIG = [pytest.param(name, marks=() if name in IN_EVERY_RUN else pytest.mark.sweep) for name in CONFIGS]
# Larger scales are the same rows with more channels and repeats: s in .ci/run, the others in the weekly sweep.
MARKS = {"n": (), "s": pytest.mark.slow} | dict.fromkeys("mlx", pytest.mark.sweep)
EVERY_SCALE = [pytest.param(scale, marks=mark) for scale, mark in MARKS.items()]
# A softmax over positions ignores a constant, so this bias of the tutorials' form has no gradient but rounding.
DEAD = re.compile(r"attention_mean\.bias$")


def build(name: str, channels: int, **arguments):
    """A block as the parser would build it, keeping its channels."""
    block = BLOCKS[name]
    return block.cls(channels, **arguments) if block.counts_as is None else block.cls(channels, channels, **arguments)


def scaled(config: str, scale: str) -> str:
    return f"yolo11{scale}{config.removeprefix('yolo11')}.yaml"


def without_gradient(model: torch.nn.Module) -> list[str]:
    """Trainable parameters that got no gradient, or one of zeros where it must not be."""
    missing = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if (
            parameter.grad is None
            or not parameter.grad.isfinite().all()
            or (not DEAD.search(name) and not parameter.grad.any())
        ):
            missing.append(name)
    return missing


def test_the_collected_sets_are_what_is_there():
    assert set(ALL) == {p.stem for p in (ROOT / "cfg").glob("*.yaml")} | {p.stem for p in config_dir().glob("*.yaml")}
    assert len(CONFIGS) >= 9
    assert set(CONFIGS) > IN_EVERY_RUN
    import yolo_cot.nn

    assert set(BLOCKS) == set(yolo_cot.nn.__all__)
    assert len(INSERTABLE) >= 4


@pytest.mark.parametrize("name", INSERTABLE)
class TestBlock:
    @pytest.mark.parametrize("channels", [16, 64, 80])
    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (16, 16)])
    def test_keeps_the_map_and_trains_every_parameter(self, name, channels, size):
        block = open_gates(build(name, channels)).train()
        x = torch.randn(2, channels, *size, requires_grad=True)
        y = block(x)
        assert y.shape == x.shape
        (y * torch.randn_like(y)).sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        # One position: batch norm over two values and a softmax over one leave some gradients at zero, rightly.
        if size != (1, 1):
            assert not without_gradient(block)

    def test_accepts_a_last_batch_of_one_image(self, name):
        assert build(name, 32).train()(torch.randn(1, 32, 4, 4)).isfinite().all()

    def test_is_the_same_in_eval_mode_for_one_image_and_for_a_batch(self, name):
        block, x = build(name, 32).double().eval(), torch.randn(3, 32, 6, 5, dtype=torch.float64)
        assert distance(block(x[1:2]), block(x)[1:2]) < FUSED

    def test_survives_copy_pickle_and_state_dict(self, name):
        block = open_gates(build(name, 32)).eval()
        x = torch.randn(1, 32, 6, 6)
        buffer = io.BytesIO()
        torch.save(block.state_dict(), buffer)
        buffer.seek(0)
        other = build(name, 32).eval()
        other.load_state_dict(torch.load(buffer, weights_only=True))
        for twin in (copy.deepcopy(block), pickle.loads(pickle.dumps(block)), other):
            assert torch.equal(twin(x), block(x))

    @pytest.mark.parametrize("inputs", ["normal", "constant", "huge", "one pixel"])
    def test_autocast_gives_finite_values_and_gradients(self, name, inputs):
        block = build(name, 32).train()
        x = torch.randn(2, 32, *((1, 1) if inputs == "one pixel" else (8, 8)))
        x = {"constant": torch.ones_like(x), "huge": x * 1e4}.get(inputs, x).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = block(x)
        y.float().square().mean().backward()
        assert y.isfinite().all()
        assert x.grad.isfinite().all()
        assert all(p.grad is None or p.grad.isfinite().all() for p in block.parameters())

    def test_says_its_source_and_how_it_differs(self, name):
        text = inspect.getdoc(BLOCKS[name].cls) or ""
        assert "Source:" in text
        assert "Differs from" in text
        assert "Shape:" in text
        for parameter in inspect.signature(BLOCKS[name].cls).parameters:
            assert re.search(rf"^    {parameter}: ", text, re.M), f"{parameter} is not in the docstring"

    def test_counts_its_flops(self, name):
        """The count grows with the map and holds more than the convolutions that Ultralytics sees by itself."""
        model = DetectionModel(
            {
                "nc": 1,
                "backbone": [
                    [-1, 1, "Conv", [64, 3, 2]],
                    [-1, 1, name, [] if BLOCKS[name].counts_as is None else [64]],
                ],
                "head": [[[1], 1, "Detect", ["nc"]]],
            },
            verbose=False,
        )
        full = get_flops(model, 64)
        assert get_flops(model, 128) == pytest.approx(4 * full, rel=0.02)
        plain = sum(
            2 * m.weight.numel() * 32 * 32
            for name, m in model.model[1].named_modules()
            # The fusion's convolutions see pooled maps.
            if isinstance(m, torch.nn.Conv2d) and not hasattr(m, "taps") and "fusion" not in name
        )
        rest = sum(2 * m.weight.numel() * 32 * 32 for m in model.model[2].modules() if isinstance(m, torch.nn.Conv2d))
        first = 2 * model.model[0].conv.weight.numel() * 32 * 32
        assert full * 1e9 > plain + rest + first


def measure(model: torch.nn.Module) -> tuple[int, float]:
    """Parameters, and GFLOPs at 640 x 640."""
    return get_num_params(model), get_flops(model, 640)


@functools.cache
def plain(scale: str) -> tuple[int, float]:
    return measure(DetectionModel(f"yolo11{scale}.yaml", verbose=False))


@pytest.mark.parametrize("config", CONFIGS)
class TestConfig:
    @pytest.mark.parametrize("scale", EVERY_SCALE)
    def test_is_as_large_as_its_header_says(self, config, scale):
        model = DetectionModel(scaled(config, scale), verbose=False)
        text = (config_dir() / f"{config}.yaml").read_text(encoding="utf-8")
        figures = r"([\d,]+) parameters, ([\d.]+) GFLOPs \(plain ([\d,]+), ([\d.]+)\)$"
        line = re.search(rf"^  {scale}: .*# {figures}", text, re.M)
        assert line, f"scale {scale} has no figures"
        for (parameters, gflops), said in ((measure(model), line.group(1, 2)), (plain(scale), line.group(3, 4))):
            assert parameters == int(said[0].replace(",", ""))
            # Releases of the FLOP counter differ by what they charge for norms and activations.
            assert gflops == pytest.approx(float(said[1]), rel=0.02, abs=0.06)

    @pytest.mark.parametrize("scale", EVERY_SCALE)
    def test_trains_every_parameter_and_fusing_changes_nothing(self, config, scale):
        model = live(DetectionModel(scaled(config, scale), verbose=False))
        assert not model.model[-1].legacy
        outputs = model.train()(torch.rand(2, 3, 64, 96))
        outputs = outputs if isinstance(outputs, list) else list(outputs.values())
        tensors = [t for o in outputs for t in (o if isinstance(o, (list, tuple)) else [o])]
        sum((t * torch.randn_like(t)).sum() for t in tensors if t.requires_grad).backward()
        assert not without_gradient(model)

        model, x = live(model).double(), picture(64, 96).double()
        before = output(model, x)
        model.fuse(verbose=False)
        assert distance(output(model, x), before) < FUSED
        assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())

    def test_header_rows_and_weights_are_the_measured_ones(self, config):
        text = (config_dir() / f"{config}.yaml").read_text(encoding="utf-8")
        rows = [row for part in ("backbone", "head") for row in yaml.safe_load(text)[part]]
        stock = DetectionModel("yolo11n.yaml", verbose=False)
        model = DetectionModel(scaled(config, "n"), verbose=False)
        ours = [n for n, row in enumerate(rows) if row[2] in BLOCKS]
        for n, row in enumerate(rows):
            commented = re.search(rf"^  - .* # {n}\b(.*)$", text, re.M)
            assert commented, f"row {n} does not carry its number"
            assert bool(re.search("new|swapped", commented[1])) == (row[2] in BLOCKS)
        header = text.split("\nnc:")[0]
        said = [int(n) for n in re.findall(r"row (\d+) \(", header)] or [
            int(n) for n in re.findall(r"\d+", re.search(r"in rows ([\d, and]+), marked", header)[1])
        ]
        assert said == ours

        inserted = all(BLOCKS[rows[n][2]].counts_as is None for n in ours)
        kept = [n for n in range(len(rows)) if not (inserted and n in ours)]
        mine = model.state_dict()
        fits = sum(
            mine.get(f"model.{kept[int(key.split('.')[1])]}.{key.split('.', 2)[2]}", torch.empty(0)).shape
            == value.shape
            for key, value in stock.state_dict().items()
        )
        figures = re.search(r"(\d+) of (?:the plain model's )?(\d+)", header)
        assert (int(figures[1]), int(figures[2])) == (fits, len(stock.state_dict()))
        assert f"model=yolo11n{config.removeprefix('yolo11')}.yaml" in header


@pytest.mark.parametrize(
    "config, scale",
    [
        pytest.param(config, scale, marks=MARKS[scale] if config in IN_EVERY_RUN else pytest.mark.sweep)
        for config in CONFIGS
        for scale in "nsmlx"
    ],
)
def test_a_config_exports_to_onnx_and_agrees(config, scale, tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    yolo = YOLO(scaled(config, scale))
    live(yolo.model)
    file = yolo.export(format="onnx", dynamic=True, imgsz=64, simplify=False, verbose=False)
    operators = {(node.domain, node.op_type) for node in onnx.load(file).graph.node}
    assert {domain for domain, _ in operators} <= {"", "ai.onnx"}
    assert not {"Col2Im", "Loop", "Scan", "If", "ScatterND", "GridSample"} & {name for _, name in operators}
    for x in (picture(64, 64), torch.cat([picture(96, 160), picture(96, 160).flip(3)])):
        assert distance(run_onnx(file, x), output(yolo.model, x)) < EXPORTED
