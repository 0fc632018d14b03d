"""Values and gradients of the blocks equal those of the authors' code, whose state dicts load under their own keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tolerances import GOLDEN, distance
from yolo_cot.nn import CoTAttention, CoTBlock, CoXtBlock, OutlookAttention, Outlooker

GOLDEN_DIR = Path(__file__).parents[1] / "golden"
CASES = {
    "cotnet_cot_layer": (lambda: CoTBlock(32), False),
    "cotnet_coxt_layer": (lambda: CoXtBlock(32), False),
    "plugin_cot_attention_k3": (lambda: CoTAttention(16), False),
    "plugin_outlook_attention": (lambda: OutlookAttention(24, num_heads=3), True),
    "volo_outlook_attention_s1": (lambda: OutlookAttention(24, num_heads=3), True),
    "volo_outlook_attention_s2": (lambda: OutlookAttention(24, num_heads=3, stride=2, qkv_bias=True), True),
    "volo_outlooker_s2": (lambda: Outlooker(24, num_heads=3, stride=2), True),
}


@pytest.fixture(params=CASES)
def case(request):
    """The block with the authors' weights, the numbers, and whether these are channels-last."""
    build, channels_last = CASES[request.param]
    data = {k: torch.from_numpy(v) for k, v in np.load(GOLDEN_DIR / f"{request.param}.npz").items()}
    block = build().double().eval()
    block.load_state_dict({k[2:]: v for k, v in data.items() if k.startswith("w.")})
    for name in ("x", "y", "grad_x", "grad_y"):
        data[name] = data[name].permute(0, 3, 1, 2) if channels_last else data[name]
    return block, data


def ours(block, key):
    """Our name of the parameter that the authors call `key`, through every module that renames keys."""
    for name, module in block.named_modules():
        prefix = f"{name}." if name else ""
        for old, new in getattr(module, "authors_keys", {}).items():
            if key.startswith(prefix + old):
                key = prefix + new + key[len(prefix + old) :]
                break
    return key


def test_output_and_input_gradient(case):
    block, data = case
    x = data["x"].clone().requires_grad_()
    y = block(x)
    y.backward(data["grad_y"])
    assert distance(y, data["y"]) < GOLDEN
    assert distance(x.grad, data["grad_x"]) < GOLDEN


def test_parameter_gradients(case):
    block, data = case
    block(data["x"]).backward(data["grad_y"])
    keys = [k[5:] for k in data if k.startswith("grad.")]
    assert keys
    parameters = dict(block.named_parameters())
    for key in keys:
        got, wanted = parameters[ours(block, key)].grad, data[f"grad.{key}"]
        assert distance(got.flatten(), wanted.flatten()) < GOLDEN, key


def test_fused_block_gives_the_same_output(case):
    from ultralytics.utils.torch_utils import fuse_conv_and_bn

    block, data = case
    for module in block.modules():
        if hasattr(module, "bn"):
            module.conv = fuse_conv_and_bn(module.conv, module.bn)
            del module.bn
            module.forward = module.forward_fuse
    block.fuse()
    assert distance(block(data["x"]), data["y"]) < GOLDEN


def test_a_state_dict_with_a_missing_or_foreign_key_is_refused():
    data = np.load(GOLDEN_DIR / "plugin_cot_attention_k3.npz")
    state = {k[2:]: torch.from_numpy(v) for k, v in data.items() if k.startswith("w.")}
    state["key_embedding.weight"] = state.pop("key_embed.0.weight")
    with pytest.raises(RuntimeError, match=r"key_embed.conv.weight[\s\S]*key_embedding.weight"):
        CoTAttention(16).double().load_state_dict(state)
