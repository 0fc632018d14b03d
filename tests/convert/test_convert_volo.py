"""The VOLO authors' keys become ours, tensor by tensor, and a checkpoint of another network is refused."""

from __future__ import annotations

import pytest
import torch
from ultralytics.nn.tasks import ClassificationModel, DetectionModel

from tests import seeded
from tests.tolerances import distance
from yolo_cot.convert.volo import volo_state


@pytest.fixture(scope="module")
def state():
    return seeded.state("volo_d1")


@pytest.fixture(scope="module")
def model():
    return ClassificationModel("volo-d1-cls.yaml", verbose=False)


def test_every_tensor_has_one_home_and_the_logits_are_the_authors(state, model):
    wanted = seeded.published()["volo_d1"]
    given = dict(state)
    renamed = volo_state(given, model)
    assert given.keys() == state.keys()  # the caller's dictionary is left alone
    assert len(renamed) == len(state)
    assert sum(v.double().sum() for v in renamed.values()) == pytest.approx(
        sum(v.double().sum() for v in state.values())
    )
    model.load_state_dict(renamed)  # strict: all of them, and no other
    model.double().eval()
    with torch.no_grad():
        logits = model(seeded.image(wanted["input_size"]))[1][0]
    assert logits.norm().item() == pytest.approx(wanted["logits_norm"], rel=1e-9)
    assert distance(logits[:16], torch.tensor(wanted["logits_first_16"], dtype=torch.float64)) < 1e-9
    model.float()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.pop("network.2.3.mlp.fc1.bias"), r"needs 1 tensors that the checkpoint has not, network.2.3.mlp"),
        (lambda s: s.update({"network.5.0.norm1.weight": torch.zeros(1)}), r"has 1 tensors .* no place for, network.5"),
        (lambda s: s.update({"return_mean": torch.zeros(1)}), r"has 1 tensors .* no place for, return_mean"),
        (
            lambda s: s.update(pos_embed=torch.zeros(1, 24, 24, 384)),
            r"made for 24 x 24 patches, the model's for 14 x 14. Write 24 in the VOLOPosition row",
        ),
        (
            lambda s: s.update({"head.weight": torch.zeros(21841, 384)}),
            r"head.weight of shape \(1000, 384\); the checkpoint has \(21841, 384\)",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(state, model, change, message):
    changed = dict(state)
    change(changed)
    with pytest.raises(ValueError, match=message):
        volo_state(changed, model)


def test_a_model_without_volos_rows_is_refused(state):
    with pytest.raises(ValueError, match=r"needs a model with VOLO's rows; got one without any. Use volo-d1-cls.yaml"):
        volo_state(state, ClassificationModel("yolo11n-cls.yaml", verbose=False))


def test_a_detector_on_volos_backbone_takes_the_backbone(state, model):
    # The stage at P5 is the detector's own: VOLO has none.
    rows = [*model.yaml["backbone"], [-1, 1, "VOLODownsample", [512]], [-1, 2, "VOLOTransformer", []]]
    detector = DetectionModel({"nc": 2, "backbone": rows, "head": [[[1, 6, 8], 1, "Detect", ["nc"]]]}, verbose=False)
    taken = volo_state(state, detector)
    missing, unexpected = detector.load_state_dict(taken, strict=False)
    assert not unexpected
    assert {name.split(".")[1] for name in missing} == {"7", "8", "9"}
    assert len(taken) == sum(key.startswith(("patch_embed.", "network.", "pos_embed")) for key in state)
    assert torch.equal(detector.model[4][2].mlp.fc1.weight[:, :, 0, 0], state["network.2.2.mlp.fc1.weight"])
