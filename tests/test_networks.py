"""The networks' YAMLs: as large as published and as their headers say; they train, fuse, and export.

Two tables name them: a network for classification with its name in tests/golden/models.json, and those with YOLO11's
head. The large ones run under `-m sweep`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml
from ultralytics import YOLO
from ultralytics.nn.tasks import guess_model_task

from tests import seeded, small_sets
from tests.contract import without_gradient
from tests.live import live, output, picture
from tests.runtimes import run, run_onnx
from tests.tolerances import EXPORTED, FUSED, distance
from yolo_cot.commands.models import measure
from yolo_cot.paths import config_dir, configs
from yolo_cot.plugin.catalog import BLOCKS
from yolo_cot.plugin.transfer.matched import match_rows

CLASSIFIERS = {
    "cotnet50-cls": "cotnet50",
    "cotnet101-cls": "cotnet101",
    "cotnext50-cls": "cotnext50_2x48d",
    "cotnext101-cls": "cotnext101_2x48d",
    "se-cotnetd50-cls": "se_cotnetd_50",
    "se-cotnetd101-cls": "se_cotnetd_101",
    "se-cotnetd152-cls": "se_cotnetd_152",
    "cotresnet50-cls": "",  # printed in tutorials
    "volo-d1-cls": "volo_d1",
    "volo-d2-cls": "volo_d2",
    "volo-d3-cls": "volo_d3",
    "volo-d4-cls": "volo_d4",
    "volo-d5-cls": "volo_d5",
}
# Without a scale's letter, with the letters that its YAML has.
WITH_YOLO_HEAD = {"volo-yolo11": "nsmlx", "volo-yolo11-seg": "nsmlx", "cotnet50-yolo11": "", "cotnet50-yolo11-seg": ""}
PLAIN = {"volo-yolo11": "yolo11", "volo-yolo11-seg": "yolo11-seg"}
# One of each kind in the usual run.
QUICK = {"cotnet50-cls", "cotnet50-yolo11", "volo-d1-cls", "volo-yolo11", "volo-yolo11-seg"}
EVERY = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.sweep) for name in [*CLASSIFIERS, *WITH_YOLO_HEAD]
]
# Heads that nothing trains without token labels.
IDLE = re.compile(r"\.aux_head\.")


def text_of(config: str) -> str:
    return (config_dir() / f"{config}.yaml").read_text(encoding="utf-8")


def smallest(config: str) -> str:
    """The YAML's name, with the first scale's letter where it has scales."""
    scale = WITH_YOLO_HEAD.get(config, "")[:1]
    return f"{config}.yaml" if not scale else re.sub(r"(yolo11)", rf"\g<1>{scale}", config) + ".yaml"


def short(config: str, folder: Path) -> YOLO:
    """The network at its first scale with at most two blocks a row: every kind of block at every place."""
    model = yaml.safe_load(text_of(config))
    for row in [*model["backbone"], *model["head"]]:
        row[1] = min(row[1], 2)
    file = folder / f"{config}.yaml"
    file.write_text(yaml.safe_dump(model))
    return YOLO(folder / smallest(config))


def test_the_tables_name_every_config_that_is_no_yolo11_with_blocks():
    networks = {path.stem for path in configs() if not path.stem.startswith("yolo11-")}
    assert networks == {*CLASSIFIERS, *WITH_YOLO_HEAD}
    assert set(CLASSIFIERS.values()) - {""} == set(seeded.published())
    assert set(PLAIN) == {config for config, scales in WITH_YOLO_HEAD.items() if scales}


@pytest.mark.parametrize("config", [param for param in EVERY if param.values[0] in CLASSIFIERS])
def test_a_classifier_is_as_large_as_published_and_as_its_header_says(config):
    text = text_of(config)
    measured = measure(yaml.safe_load(text))
    if CLASSIFIERS[config]:
        assert measured.parameters == seeded.published()[CLASSIFIERS[config]]["parameters"]
    said = re.search(r"^# Size +([\d,]+) parameters, ([\d.]+) GFLOPs at 224 x 224", text, re.M)
    assert int(said[1].replace(",", "")) == measured.parameters
    # Releases of the FLOP counter differ by what they charge for norms and activations.
    assert measured.gflops == pytest.approx(float(said[2]), rel=0.02)


def test_the_tutorials_network_counts_what_their_table_prints():
    """The table counts running statistics with the parameters, and nothing of batch norm as trainable."""
    model = YOLO("cotresnet50-cls.yaml").model
    parameters = sum(p.numel() for p in model.parameters())
    normed = sum(m.num_features for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert parameters + 2 * normed == 33_855_464
    assert parameters - 2 * normed == 33_711_464


@pytest.mark.parametrize("config", [param for param in EVERY if WITH_YOLO_HEAD.get(param.values[0]) == ""])
def test_a_network_of_one_scale_is_as_large_as_its_header_says(config):
    text = text_of(config)
    measured = measure(yaml.safe_load(text))
    said = re.search(r"^# Size +([\d,]+) parameters, ([\d.]+) GFLOPs at 640 x 640", text, re.M)
    assert measured.parameters == int(said[1].replace(",", ""))
    assert measured.gflops == pytest.approx(float(said[2]), rel=0.02)


@pytest.mark.parametrize(
    "config, scale",
    [
        pytest.param(config, scale, marks=() if scale == "n" else pytest.mark.sweep)
        for config, scales in WITH_YOLO_HEAD.items()
        for scale in scales
    ],
)
def test_a_network_with_yolos_head_is_as_large_as_its_header_says(config, scale):
    from yolo_cot.yaml_edit.files import find_model

    text, plain = text_of(config), find_model(f"{PLAIN[config]}.yaml")[0].read_text(encoding="utf-8")
    figures = r"([\d,]+) parameters, ([\d.]+) GFLOPs \(plain ([\d,]+), ([\d.]+)\)$"
    said = re.search(rf"^  {scale}: .*# {figures}", text, re.M)
    assert said, f"scale {scale} has no figures"
    for yaml_text, (parameters, gflops) in ((text, said.group(1, 2)), (plain, said.group(3, 4))):
        measured = measure(yaml.safe_load(yaml_text), scale)
        assert measured.parameters == int(parameters.replace(",", ""))
        assert measured.gflops == pytest.approx(float(gflops), rel=0.02, abs=0.06)


@pytest.mark.parametrize("config", PLAIN)
def test_as_many_pretrained_tensors_have_a_home_as_the_header_says(config):
    model, plain = YOLO(smallest(config)).model, YOLO(f"{PLAIN[config].replace('yolo11', 'yolo11n')}.yaml").model
    matched = match_rows(plain, model)
    matched.state_dict()
    said = re.search(r"(\d+) of the plain model's (\d+) tensors", text_of(config))
    assert (int(said[1]), int(said[2])) == (len(matched.moved(model)), len(plain.state_dict()))


@pytest.mark.parametrize("config", [*CLASSIFIERS, *WITH_YOLO_HEAD])
def test_header_and_rows_are_in_order(config):
    text = text_of(config)
    header = text.split("\nnc:")[0]
    assert header.startswith(f"# {config}: ")
    assert all(f"# {word} " in header for word in ("Train", "Differs", "Source"))
    named = re.search(r"model=([\w.-]+)\.yaml", header)[1]
    assert named == config or re.sub(r"(\d)[nslmx](?=-|$)", r"\1", named) == config
    model = yaml.safe_load(text)
    rows = [*model["backbone"], *model["head"]]
    for n, row in enumerate(rows):
        assert re.search(rf"^  - .* # {n}\b.*$", text, re.M), f"row {n} does not carry its number"
        assert row[0] == -1 or isinstance(row[0], list)
    assert any(row[2] in BLOCKS for row in rows)
    # A digit with one of n s m l x behind it would be taken for a scale.
    assert not re.search(r"\d[nslmx]", config)


@pytest.mark.parametrize("config", EVERY)
def test_opens_by_name_for_its_task(config):
    yolo = YOLO(smallest(config))
    expected = "classify" if config in CLASSIFIERS else "segment" if config.endswith("-seg") else "detect"
    assert yolo.task == yolo.model.task == expected
    assert guess_model_task(yolo.model) == expected


@pytest.mark.parametrize("config", EVERY)
def test_every_parameter_trains_and_fusing_changes_nothing(config, tmp_path):
    model = live(short(config, tmp_path).model).train()
    outputs = model(torch.rand(2, 3, 64, 96))
    outputs = list(outputs.values()) if isinstance(outputs, dict) else outputs
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    tensors = [t for o in outputs for t in (o if isinstance(o, (list, tuple)) else [o])]
    sum((t * torch.randn_like(t)).sum() for t in tensors if t.requires_grad).backward()
    assert not [name for name in without_gradient(model) if not IDLE.search(name)]

    model, x = live(model).double(), picture(96, 160).double()
    before = output(model, x)
    model.fuse(verbose=False)
    assert distance(output(model, x), before) < FUSED
    left = [name for name, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
    # The tutorials' network has batch norm between CoTAttention, which is no convolution, and ReLU: nothing takes it.
    assert all(re.search(r"\.block\.1$", name) for name in left) if config == "cotresnet50-cls" else not left


@pytest.mark.parametrize("form", ["torchscript", pytest.param("ncnn", marks=pytest.mark.slow)])
def test_a_short_volo_agrees_in_other_runtimes(form, tmp_path):
    yolo, x = short("volo-d1-cls", tmp_path), picture(112, 80)
    live(yolo.model)
    assert distance(run(form, yolo, x, tmp_path), output(yolo.model, x)) < EXPORTED


@pytest.mark.parametrize("config", EVERY)
def test_exports_to_onnx_at_every_size_and_agrees(config, tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    yolo = short(config, tmp_path)
    for name, parameter in yolo.model.named_parameters():
        if IDLE.search(name):
            torch.nn.init.normal_(parameter, std=0.1)
    live(yolo.model)
    file = yolo.export(format="onnx", dynamic=True, imgsz=64, simplify=False, verbose=False)
    operators = {(node.domain, node.op_type) for node in onnx.load(file).graph.node}
    assert all(domain in {"", "ai.onnx"} for domain, _ in operators)
    assert not {"Col2Im", "Loop", "Scan", "If", "ScatterND", "GridSample"} & {name for _, name in operators}
    for x in (picture(64, 64), torch.cat([picture(96, 160), picture(96, 160).flip(3)])):
        assert distance(run_onnx(file, x), output(yolo.model, x)) < EXPORTED


@pytest.mark.slow
@pytest.mark.parametrize("config", EVERY)
def test_trains_an_epoch_on_real_images_and_predicts(config, shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yolo = short(config, tmp_path)
    if yolo.task == "classify":
        data: Path = small_sets.class_folders(shared, tmp_path / "cells")
    else:
        data = small_sets.boxes(shared, tmp_path / "cells", polygons=yolo.task == "segment")
    settings = {"epochs": 1, "imgsz": 64, "batch": 4, "device": "cpu", "workers": 0, "amp": False, "plots": False}
    yolo.train(data=str(data), project=str(tmp_path / "runs"), name="t", verbose=False, **settings)
    trained = YOLO(tmp_path / "runs" / "t" / "weights" / "last.pt")
    assert trained.task == yolo.task
    assert all(value.isfinite().all() for value in trained.model.state_dict().values())
    picture = next((shared / "data/bccd/images/val").glob("*.jpg"))
    result = trained.predict(picture, imgsz=64, device="cpu", verbose=False)[0]
    assert list(result.names.values()) == small_sets.NAMES or set(result.names.values()) == set(small_sets.NAMES)
    if yolo.task == "classify":
        assert result.probs.data.sum().item() == pytest.approx(1, abs=1e-4)
