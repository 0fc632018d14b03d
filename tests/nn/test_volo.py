"""The parts of the VOLO networks: against PyTorch's own attention, at other sizes, and what the head promises."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from ultralytics.nn.tasks import ClassificationModel

from tests.tolerances import PARITY, distance
from yolo_cot.nn import VOLOHead, VOLOPosition, VOLOStem, VOLOTransformer
from yolo_cot.nn.token_labels import TokenLabelLoss


def widened(block: nn.Module) -> nn.Module:
    """Weights as wide as trained ones, in float64, so that nothing is flat."""
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    return block.double().eval()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_the_transformer_block_is_torchs_encoder_layer(size, bias):
    ours = widened(VOLOTransformer(12, 3, 2.0, qkv_bias=bias))
    layer = nn.TransformerEncoderLayer(12, 3, 24, 0.0, "gelu", batch_first=True, norm_first=True).double().train()
    own = {name: p.flatten(1) if p.dim() == 4 else p for name, p in ours.state_dict().items()}
    layer.load_state_dict(
        {
            **{f"{name}.{kind}": own[f"{name}.{kind}"] for name in ("norm1", "norm2") for kind in ("weight", "bias")},
            "self_attn.in_proj_weight": own["attn.qkv.weight"],
            "self_attn.in_proj_bias": own.get("attn.qkv.bias", torch.zeros(36, dtype=torch.float64)),
            "self_attn.out_proj.weight": own["attn.proj.weight"],
            "self_attn.out_proj.bias": own["attn.proj.bias"],
            **{f"linear{n}.{kind}": own[f"mlp.fc{n}.{kind}"] for n in (1, 2) for kind in ("weight", "bias")},
        }
    )
    x = torch.randn(2, 12, *size, dtype=torch.float64)
    wanted = layer(x.flatten(2).transpose(1, 2)).transpose(1, 2).view_as(x)
    assert distance(ours(x), wanted) < PARITY


def test_the_head_is_class_attention_and_half_the_best_pixel():
    head = widened(VOLOHead(12, 5, 3, 2.0, depth=2))
    x = torch.randn(2, 12, 3, 4, dtype=torch.float64)
    tokens = x.flatten(2).transpose(1, 2)
    token = head.cls_token.expand(2, -1, -1)

    def norm(layer, t):
        return F.layer_norm(t, (12,), layer.weight, layer.bias)

    def linear(layer, t):
        return F.linear(t, layer.weight.flatten(1), layer.bias)

    for block in head.blocks:
        everything = norm(block.norm1, torch.cat([token, tokens], 1))
        keys, values = linear(block.attn.kv, everything).chunk(2, -1)
        query = linear(block.attn.q, everything[:, :1])
        seen = []
        for h in range(3):
            part = slice(4 * h, 4 * h + 4)
            weights = (query[..., part] @ keys[..., part].transpose(1, 2) / 2).softmax(-1)
            seen.append(weights @ values[..., part])
        token = token + linear(block.attn.proj, torch.cat(seen, -1))
        token = token + linear(block.mlp.fc2, F.gelu(linear(block.mlp.fc1, norm(block.norm2, token))))
    classes = head.linear(norm(head.norm, token))[:, 0]
    pixels = head.aux_head(norm(head.norm, tokens))
    probabilities, logits = head(x)
    assert distance(logits, classes + 0.5 * pixels.max(1).values) < PARITY
    assert distance(probabilities, logits.softmax(1)) < PARITY
    head.export = True
    assert torch.equal(head(x), probabilities)
    head.train()
    assert distance(head(x), classes) < PARITY
    head.dense = True
    assert [tuple(t.shape) for t in head(x)] == [(2, 5), (2, 12, 5)]
    assert distance(head(x)[1], pixels) < PARITY


def test_the_auxiliary_head_adds_nothing_until_it_is_trained():
    head = VOLOHead(32, 7).eval()
    x = torch.randn(2, 32, 4, 4)
    assert torch.equal(head(x)[1], head.logits(x)[0])
    head.aux_head.bias.data[3] = 2.0
    assert distance(head(x)[1] - head.logits(x)[0], torch.eye(7)[3].expand(2, 7)) < 1e-6


def test_another_number_of_classes_brings_both_heads_along():
    model = ClassificationModel("volo-d1-cls.yaml", nc=5, verbose=False)
    head = model.model[-1].double()
    head.aux_head.bias.data.fill_(1.0)
    ClassificationModel.reshape_outputs(model, 5)  # the same number: nothing is lost
    assert head.aux_head.bias.all()
    ClassificationModel.reshape_outputs(model, 3)
    assert head.linear.out_features == head.aux_head.out_features == 3
    assert not head.aux_head.weight.any()
    assert head.aux_head.weight.dtype == torch.float64
    assert model.float().eval()(torch.rand(1, 3, 32, 32))[1].shape == (1, 3)


@pytest.mark.parametrize("size", [(14, 14), (7, 20), (1, 1), (40, 40)])
def test_the_position_embedding_is_resized_to_any_map(size):
    position = VOLOPosition(6, 14).double()
    x = torch.randn(2, 6, *size, dtype=torch.float64)
    wanted = F.interpolate(position.pos_embed, size=size, mode="bicubic")
    assert distance(position(x) - x, wanted.expand_as(x)) < 1e-9
    if size == (14, 14):
        assert torch.equal(position(x), x + position.pos_embed)
    position(x).sum().backward()
    assert position.pos_embed.grad.any()


def test_the_stem_reads_eighths():
    assert VOLOStem(3, 24, 8).eval()(torch.rand(1, 3, 64, 96)).shape == (1, 24, 8, 12)


def test_token_labels_train_the_auxiliary_head_and_their_absence_leaves_it():
    torch.manual_seed(0)
    model = ClassificationModel(SMALL, verbose=False).train()
    model.model[-1].dense, model.criterion = True, TokenLabelLoss(weight=0.25)
    aux = model.model[-1].aux_head
    batch = {"img": torch.rand(4, 3, 64, 64), "cls": torch.tensor([0, 1, 2, 0])}
    model.loss(batch)[0].backward()
    assert aux.weight.grad is None or not aux.weight.grad.any()

    classes, patches = model(batch["img"])
    labels = torch.randint(0, 3, (4, 16))
    loss, _ = model.loss({**batch, "token_cls": labels}, (classes, patches))
    of_patches = F.nll_loss(patches.log_softmax(-1).view(64, 3), labels.view(64))
    wanted = F.cross_entropy(classes, batch["cls"]) + 0.25 * of_patches
    assert distance(loss, wanted) < 1e-6
    soft, _ = model.loss({**batch, "token_cls": F.one_hot(labels, 3).double()}, (classes, patches))
    assert distance(soft, loss) < 1e-6
    loss.backward()
    assert aux.weight.grad.any()
    # What validation hands over, probabilities and logits, is scored by the class alone.
    scored, _ = model.loss(batch, model.eval()(batch["img"]))
    assert distance(scored, F.cross_entropy(model(batch["img"])[1], batch["cls"])) < 1e-6


def test_label_maps_of_another_grid_are_told():
    preds = (torch.zeros(2, 3), torch.zeros(2, 16, 3))
    batch = {"cls": torch.zeros(2, dtype=torch.long), "token_cls": torch.zeros(2, 196, dtype=torch.long)}
    with pytest.raises(ValueError, match=r"each of the 16 patches of the 2 images; got token_cls of shape \(2, 196\)"):
        TokenLabelLoss()(preds, batch)


SMALL = {
    "nc": 3,
    "backbone": [
        [-1, 1, "VOLOStem", [32, 8]],
        [-1, 1, "Outlooker", [{"stride": 2}]],
        [-1, 1, "VOLODownsample", [64]],
        [-1, 1, "VOLOPosition", [4]],
        [-1, 2, "VOLOTransformer", [2, {"drop_path": 0.1}]],
    ],
    "head": [[-1, 1, "VOLOHead", ["nc", 2]]],
}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: VOLOTransformer(12, 5), r"VOLOTransformer needs c1 divisible by num_heads; got c1=12, num_heads=5"),
        (lambda: VOLOTransformer(12, 3, drop_path=2), r"VOLOTransformer needs drop_path from 0 up to"),
        (lambda: VOLOTransformer(12, 3, attn_drop=-1), r"VOLOTransformer needs attn_drop from 0 up to"),
        (lambda: VOLOHead(12, 0), r"VOLOHead needs nc of at least 1; got 0"),
        (lambda: VOLOHead(12, 5, 5), r"VOLOHead needs c1 divisible by num_heads"),
        (lambda: VOLOHead(12, 5, depth=0), r"VOLOHead needs depth of at least 1; got 0"),
        (lambda: VOLOPosition(12, 0), r"VOLOPosition needs size of at least 1; got 0"),
        (lambda: VOLOStem(3, 12, 0), r"VOLOStem needs hidden of at least 1; got 0"),
    ],
)
def test_a_wrong_argument_is_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
