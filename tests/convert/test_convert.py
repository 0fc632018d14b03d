"""convert: the authors' CoTNet checkpoints give the authors' numbers, and nothing but tensors is read from a file."""

from __future__ import annotations

import argparse
import pickle
import re
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from ultralytics import YOLO
from ultralytics.data.augment import classify_transforms as transforms

from tests.processes import here, python
from tests.seeded import image, published, state
from tests.tolerances import distance
from yolo_cot.commands.convert import convert
from yolo_cot.convert.cotnet import cotnet_state
from yolo_cot.convert.load import load_published, read_weights
from yolo_cot.plugin import bundle
from yolo_cot.plugin.build import build
from yolo_cot.yaml_edit.files import find_model

LISTED = {
    "cotnet50": "cotnet50-cls.yaml",
    "cotnext50_2x48d": "cotnext50-cls.yaml",
    "se_cotnetd_50": "se-cotnetd50-cls.yaml",
    "volo_d1": "volo-d1-cls.yaml",
}


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A converted CoTNet-50, and the file with the authors' weights."""
    folder = tmp_path_factory.mktemp("converted")
    torch.save(state("cotnet50"), folder / "cotnet50.pth")
    convert(folder / "cotnet50.pth", "cotnet50-cls.yaml", folder / "cotnet50.pt")
    return folder / "cotnet50.pt"


@pytest.mark.parametrize("network", LISTED)
def test_a_converted_checkpoint_gives_the_authors_logits(network, tmp_path):
    # As training scripts of this family write them.
    stored = {"epoch": 3, "arch": network, "args": argparse.Namespace(lr=0.1), "state_dict": state(network)}
    torch.save(stored, tmp_path / "authors.pth.tar")
    filled, total = convert(tmp_path / "authors.pth.tar", LISTED[network], tmp_path / "ours.pt")
    assert filled == total
    model = YOLO(tmp_path / "ours.pt")
    assert model.task == "classify"
    assert model.names[0] == "tench"
    with torch.no_grad():
        stem = model.model.double().eval().model[0]
        # The authors' numbers are for an input that has been normalised already.
        logits = model.model(image(published()[network]["input_size"]) * stem.image_std + stem.image_mean)[1][0]
    wanted = published()[network]
    assert distance(logits[:16], torch.tensor(wanted["logits_first_16"])) < 1e-5
    assert logits.norm().item() == pytest.approx(wanted["logits_norm"], rel=1e-5)


def test_the_command_converts_says_what_it_did_and_keeps_files_that_are_there(tmp_path):
    torch.save({f"module.{key}": value for key, value in state("cotnet50").items()}, tmp_path / "cotnet50.pth")
    words = ["convert", "weights=cotnet50.pth", "model=cotnet50-cls.yaml"]
    done = here(*words, cwd=tmp_path)
    assert "Wrote cotnet50.pt: 802 of the model's 802 tensors come from cotnet50.pth." in done.stdout
    again = here(*words, cwd=tmp_path, status=1)
    assert "cotnet50.pt exists and is kept" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_converted_classifier_fills_the_backbone_of_a_detector(converted):
    detector = YOLO("cotnet50-yolo11.yaml").load(converted)
    source = YOLO(converted).model.state_dict()
    own = detector.model.state_dict()
    backbone = [key for key in source if int(key.split(".")[1]) <= 4]
    assert len(backbone) == 800
    assert all(torch.equal(own[key], source[key]) for key in backbone)


PICTURE = np.random.default_rng(0).integers(0, 255, (384, 384, 3), dtype=np.uint8)  # BGR, as OpenCV reads it


@cache
def authors_probabilities(size: int) -> torch.Tensor:
    """What the authors' weights give for the picture, normalised by ImageNet's mean and deviation as they do it."""
    model = build_config("cotnet50-cls")
    model.load_state_dict(cotnet_state(state("cotnet50"), model))
    x = transforms(size, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))(Image.fromarray(PICTURE[..., ::-1]))
    with torch.no_grad():
        return model.float().eval()(x[None])[0][0]


@pytest.mark.parametrize("size", [224, 256, 384])
@pytest.mark.parametrize("path", ["pt", "onnx", "bundle"])
def test_images_are_normalised_at_every_size_on_every_path(converted, path, size):
    file = converted.with_suffix(f".{path}")
    if path == "onnx":
        pytest.importorskip("onnxruntime")
        if not file.exists():
            YOLO(converted).export(format="onnx", dynamic=True, imgsz=224, simplify=False, verbose=False)
    elif path == "bundle" and not file.exists():
        bundle.write(converted, file)
    model = YOLO(str(file), task="classify")
    got = model.predict(PICTURE, imgsz=size, device="cpu", verbose=False)[0].probs.data
    assert distance(got, authors_probabilities(size)) < 1e-3


def test_a_checkpoint_of_version_0_1_keeps_the_normalisation_that_it_was_made_with(converted):
    """It has no place for one in its stem; `transforms` of the model hold it."""
    network = YOLO(converted).model.float().eval()
    x = torch.rand(1, 3, 64, 64)
    network.model[0].image_mean.zero_()
    network.model[0].image_std.fill_(1)
    wanted = network(x)[0]
    stem = vars(network.model[0])
    for name in ("image_mean", "image_std"):
        del stem["_buffers"][name]
    old = pickle.loads(pickle.dumps(network))
    assert torch.equal(old(x)[0], wanted)
    fresh = build_config("cotnet50-cls").float().eval()
    fresh.load_state_dict(network.state_dict())  # without the two buffers
    assert torch.equal(fresh(x)[0], wanted)


def test_a_converted_checkpoint_opens_under_restricted_loading(converted):
    code = "import sys, yolo_cot; from ultralytics import YOLO; print(YOLO(sys.argv[1]).task)"
    assert "classify" in python(code, converted, ULTRALYTICS_SAFE_LOAD="1").stdout


def test_published_weights_fill_the_backbone_of_a_detector_directly():
    model = build_config("cotnet50-yolo11")
    assert load_published(state("cotnet50"), model) == 800


def build_config(name: str):
    import yaml

    path = find_model(f"{name}.yaml")[0]
    return build(yaml.safe_load(path.read_text(encoding="utf-8")), name=path.name)


def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match="not of the same network and size"):
        load_published(state("cotnext50_2x48d"), build_config("cotnet50-cls"))
    with pytest.raises(ValueError, match="not of the same network and size: the weights lack"):
        load_published(state("cotnet50"), build_config("cotnet101-cls"))
    with pytest.raises(ValueError, match=r"no place for the checkpoint's pos_embed"):
        load_published(state("volo_d1"), build_config("cotnet50-cls"))
    with pytest.raises(ValueError, match=r"begins with CoTNet's or VOLO's stem; got one that begins with Conv"):
        load_published(state("cotnet50"), build_config("yolo11-cotblock"))


class Hostile:
    def __reduce__(self):
        return (print, ("ran",))


def test_nothing_but_tensors_is_read(tmp_path, capsys):
    torch.save({"state_dict": {"a": torch.ones(1)}, "extra": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(ValueError, match=r"hostile.pth holds more than tensors and plain values, and is refused"):
        read_weights(tmp_path / "hostile.pth")
    assert "ran" not in capsys.readouterr().out
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="holds no state dict"):
        read_weights(tmp_path / "list.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    with pytest.raises(ValueError, match=re.escape("text.pth")):
        read_weights(tmp_path / "text.pth")
    (tmp_path / "text.safetensors").write_text("no checkpoint at all")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        read_weights(tmp_path / "text.safetensors")
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_weights(tmp_path / "empty.pth")
    with pytest.raises(FileNotFoundError, match=r"absent.pth is not a file"):
        read_weights(tmp_path / "absent.pth")
    from safetensors.torch import save_file

    save_file(state("cotnet50"), tmp_path / "cotnet50.safetensors")
    assert len(read_weights(tmp_path / "cotnet50.safetensors")) == 800
