"""Blocks of timm and of Ultralytics: each does what every block must, or says in one sentence what it cannot."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn.modules import C2PSA, CBAM
from ultralytics.nn.tasks import DetectionModel

from tests.tolerances import EXPORTED, distance
from yolo_cot.nn.gate import Gated
from yolo_cot.plugin.catalog import find, insertable, timm_blocks
from yolo_cot.plugin.row_errors import RowError
from yolo_cot.yaml_edit.insert import insert

from .models import build

pytest.importorskip("timm", reason="timm is an extra: pip install 'yolo-cot[timm]'")
TIMM = [f"timm.{name}" for name in timm_blocks.NAMES]
STOCK = ["ultralytics.CBAM", "ultralytics.ChannelAttention"]
SIX = ["timm.se", "timm.eca", "timm.cbam", "timm.gc", "timm.coord", "timm.nl"]


def make(name, channels, **arguments):
    """The block as the parser builds it."""
    return find(name).constructor(channels, arguments)


@pytest.mark.parametrize("name", [*TIMM, *STOCK])
class TestBlock:
    @pytest.mark.parametrize("channels", [16, 80])
    @pytest.mark.parametrize("size", [(1, 9), (7, 5), (16, 16)])
    def test_keeps_the_map_and_trains_every_parameter(self, name, channels, size):
        block = make(name, channels, gate=0.5).train()
        x = torch.randn(2, channels, *size, requires_grad=True)
        y = block(x)
        assert y.shape == x.shape
        (y * torch.randn_like(y)).sum().backward()
        assert x.grad.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())

    def test_starts_as_the_identity_behind_a_shut_gate(self, name):
        x = torch.randn(2, 32, 6, 5)
        assert torch.equal(make(name, 32, gate=0.0).eval()(x), x)
        open_gate, none = make(name, 32, gate=1.0).eval(), make(name, 32).eval()
        open_gate.block.load_state_dict(none.block.state_dict())
        assert torch.allclose(open_gate(x), x + none(x), atol=1e-6)

    def test_accepts_a_last_batch_of_one_image_and_autocast(self, name):
        block = make(name, 32, gate=0.5).train()
        with torch.autocast("cpu", torch.bfloat16):
            y = block(torch.randn(1, 32, 4, 4))
        y.float().square().mean().backward()
        assert y.isfinite().all()
        assert all(p.grad is None or p.grad.isfinite().all() for p in block.parameters())

    def test_survives_copy_and_pickle(self, name):
        block, x = make(name, 32, gate=0.5).eval(), torch.randn(1, 32, 6, 6)
        for twin in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
            assert torch.equal(twin(x), block(x))

    def test_is_inserted_and_takes_every_pretrained_tensor(self, name, tmp_path):
        edited = insert("yolo11.yaml", tmp_path / "yolo11-x.yaml", block=name, at="P5", arguments={"gate": 0.0})
        assert f"[-1, 1, {name}, [{{gate: 0.0}}]]" in edited.text
        assert "\nblocks:" not in edited.text
        source, target = DetectionModel("yolo11n.yaml", verbose=False), YOLO(tmp_path / "yolo11n-x.yaml").model
        target.load(source, verbose=False)
        new, old = target.state_dict(), source.state_dict()
        moved = [k for k in old if torch.equal(old[k], new[after(k)])]
        assert len(moved) == len(old) == 499


def after(name):
    """The name of a tensor of yolo11n behind a row put in at 11."""
    row, rest = name.removeprefix("model.").split(".", 1)
    return f"model.{int(row) + (int(row) >= 11)}.{rest}"


@pytest.mark.parametrize("name", [n if n in SIX else pytest.param(n, marks=pytest.mark.slow) for n in [*TIMM, *STOCK]])
def test_exports_to_onnx_and_agrees(name, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    # The head's rows turn its map into boxes; what is compared is the block, so its output is in the graph as a map.
    model = build([-1, 1, name, [{"gate": 0.5}]])
    block = model.model[2].eval()
    x = torch.randn(2, 32, 12, 20)
    torch.onnx.export(
        block, (torch.randn(1, 32, 8, 8),), "b.onnx", dynamo=False, opset_version=18, input_names=["x"],
        dynamic_axes={"x": {0: "b", 2: "h", 3: "w"}},
    )  # fmt: skip
    session = onnxruntime.InferenceSession("b.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": x.numpy()})
    with torch.no_grad():
        assert distance(torch.from_numpy(got), block(x)) < EXPORTED
        assert distance(block(x), x) > 100 * EXPORTED


@pytest.mark.parametrize("name", timm_blocks.REFUSED)
def test_what_cannot_be_a_block_says_why(name):
    with pytest.raises(RowError, match=rf"mine.yaml row 2: timm.{name} cannot be a block: {timm_blocks.REFUSED[name]}"):
        build([-1, 1, f"timm.{name}", []])
    with pytest.raises(ValueError, match=rf"timm.{name} cannot be a block"):
        insert("yolo11.yaml", block=f"timm.{name}", at="P5")


def test_what_timm_has_not_and_timm_itself_missing_are_told(monkeypatch):
    with pytest.raises(RowError, match=r"timm has no attention that is called 'timm.sx' here. Known are timm.se"):
        build([-1, 1, "timm.sx", []])
    monkeypatch.setitem(sys.modules, "timm.layers", None)
    timm_blocks.find.cache_clear()
    with pytest.raises(RowError, match=r"row 2: timm.se needs timm: pip install 'yolo-cot\[timm\]'"):
        build([-1, 1, "timm.se", []])


def test_arguments_of_timms_class_go_through():
    assert build([-1, 1, "timm.se", [{"rd_ratio": 0.5}]]).model[2].block.fc1.out_channels == 16
    assert build([-1, 1, "timm.se", [0.5]]).model[2].block.fc1.out_channels == 16
    with pytest.raises(RowError, match=r"timm.se has no argument 'ratio'"):
        build([-1, 1, "timm.se", [{"ratio": 0.5}]])


def test_stock_modules_that_the_parser_places_are_inserted_as_they_are(tmp_path):
    for name in ("C2PSA", "C2fPSA", "Conv"):
        edited = insert("yolo11.yaml", tmp_path / f"yolo11-{name.lower()}.yaml", block=name, at="neck.P4")
        assert f"- [-1, 1, {name}, [512]] # 20" in edited.text
    model = YOLO(tmp_path / "yolo11n-c2psa.yaml").model
    assert type(model.model[20]) is C2PSA
    assert insertable("Detect") is None
    with pytest.raises(ValueError, match="no block is called 'Concat'"):
        insert("yolo11.yaml", block="Concat", at="P5")


def test_a_module_that_ultralytics_cannot_place_has_a_name_of_its_own(tmp_path):
    edited = insert("yolo11.yaml", tmp_path / "yolo11-x.yaml", block="CBAM", at="P5", arguments={"gate": 0.0})
    assert "- [-1, 1, ultralytics.CBAM, [{gate: 0.0}]] # 11" in edited.text
    block = YOLO(tmp_path / "yolo11n-x.yaml").model.model[11]
    assert (type(block), type(block.block)) == (Gated, CBAM)
    assert find("CBAM") is None  # a user's block may well be called so
