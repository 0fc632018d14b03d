"""One block against its published form, a plain convolution and the machine's limit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import Conv
from ultralytics.utils.torch_utils import fuse_conv_and_bn

from ...nn import CoTAttention, CoTBlock, CoXtBlock, OutlookAttention
from ...nn.gate import GatedBlock
from ...reference.published import PublishedCoTAttention, PublishedCoTBlock, PublishedOutlookAttention
from ..timing import interleaved, peak_memory, relative_difference
from .limits import Machine, cost
from .onnx import TOLERANCE, ParityError, onnx_runner

# Channels and side of the maps at P3, P4 and P5 of the neck, for 640 x 640 images.
LEVELS = {
    "n": {"P3": (64, 80), "P4": (128, 40), "P5": (256, 20)},
    "s": {"P3": (128, 80), "P4": (256, 40), "P5": (512, 20)},
}
PUBLISHED: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "CoTAttention": (CoTAttention, PublishedCoTAttention),
    "CoTBlock": (CoTBlock, PublishedCoTBlock),
    "CoXtBlock": (CoXtBlock, PublishedCoTBlock),
    "OutlookAttention": (OutlookAttention, PublishedOutlookAttention),
}


@dataclass(frozen=True)
class Row:
    """One measurement. Times in seconds, memory in bytes; a ratio above 1 is in our favour only for `speedup`."""

    block: str
    scale: str
    level: str
    batch: int
    what: str
    ours: float
    published: float
    conv: float
    limit: float
    memory: float = float("nan")
    memory_published: float = float("nan")

    @property
    def speedup(self) -> float:
        """How many times faster than the published form."""
        return self.published / self.ours

    @property
    def of_conv(self) -> float:
        """Our time in plain 3x3 convolutions of the same width."""
        return self.ours / self.conv

    @property
    def of_limit(self) -> float:
        """Our time in multiples of the machine's limit."""
        return self.ours / self.limit

    @property
    def memory_ratio(self) -> float:
        """Our peak memory as a share of the published form's."""
        return self.memory / self.memory_published


def measure_forward(name: str, scale: str, level: str, batch: int, machine: Machine, rounds: int) -> Row:
    """Check the values, then time forward: fused, as deployed.

    Raises:
        ParityError: values differ from the published form's.
    """
    block, published, conv, x = _forms(name, scale, level, batch, machine.device)
    deployed = fused(block)
    with torch.inference_mode():
        wanted = published.eval()(x)
        _check(name, x, {"output": (block.eval()(x), wanted), "fused output": (deployed(x), wanted)})
        macs, traffic = cost(deployed, x)
        forms = {"ours": deployed, "published": published, "conv": fused(conv)}
        times = interleaved({key: partial(module, x) for key, module in forms.items()}, rounds, machine.device)
    return Row(name, scale, level, batch, "forward", **times, limit=machine.limit(macs, traffic))


def measure_training(name: str, scale: str, level: str, batch: int, machine: Machine, rounds: int) -> Row:
    """Check values and gradients, then time forward + backward, as in training, and take the peak memory.

    Raises:
        ParityError: values or gradients differ from the published form's.
    """
    block, published, conv, x = _forms(name, scale, level, batch, machine.device)
    macs, traffic = cost(fused(block), x)
    seed = torch.randn_like(x)
    for module in (block, published, conv):
        module.train()
    found = []
    for module in (block, published):
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        y.backward(seed)
        found.append({"output": y.detach(), "input gradient": leaf.grad})
    _check(name, x, {what: (got, found[1][what]) for what, got in found[0].items()})
    steps = {k: step(m, x, seed) for k, m in (("ours", block), ("published", published), ("conv", conv))}
    return Row(
        name,
        scale,
        level,
        batch,
        "forward + backward",
        **interleaved(steps, rounds, machine.device),
        limit=machine.limit(3 * macs, 3 * traffic),
        memory=peak_memory(steps["ours"], machine.device),
        memory_published=peak_memory(steps["published"], machine.device),
    )


def _forms(
    name: str, scale: str, level: str, batch: int, device: str
) -> tuple[nn.Module, nn.Module, nn.Module, Tensor]:
    """Our block, its published form with the same weights, a plain convolution, and an input for them."""
    channels, side = LEVELS[scale][level]
    torch.manual_seed(0)
    cls, published_cls = PUBLISHED[name]
    block = cls(channels).to(device)
    published, conv = published_cls(block).to(device), Conv(channels, channels, 3).to(device)
    return block, published, conv, torch.randn(batch, channels, side, side, device=device)


def fused(module: nn.Module) -> nn.Module:
    """A copy in eval mode with batch norm and constants folded, as `model.fuse()` leaves it."""
    module = copy.deepcopy(module).eval()
    for part in module.modules():
        if isinstance(part, Conv):
            part.conv = fuse_conv_and_bn(part.conv, part.bn)
            del part.bn
            part.forward = part.forward_fuse
    if isinstance(module, GatedBlock):
        module.fuse()
    return module


def step(module: nn.Module, x: Tensor, seed: Tensor) -> Callable[[], None]:
    """A forward and a backward pass; gradients of input and parameters are made afresh each time."""

    def run() -> None:
        leaf = x.detach().requires_grad_()
        module.zero_grad(set_to_none=True)
        module(leaf).backward(seed)

    return run


def _check(name: str, x: Tensor, pairs: dict[str, tuple[Tensor, Tensor]]) -> None:
    for what, (got, expected) in pairs.items():
        gap = relative_difference(got, expected)
        if not gap < TOLERANCE:
            raise ParityError(f"{name} at {tuple(x.shape)}: {what} differs from the published form by {gap:.1e}.")


def measure_onnx(name: str, scale: str, level: str, machine: Machine, rounds: int) -> Row:
    """The same comparison in onnxruntime, on one image.

    Raises:
        ParityError: a session's output differs from PyTorch's.
        ImportError: onnx, onnxruntime or onnxslim is not installed.
    """
    block, published, conv, x = _forms(name, scale, level, 1, "cpu")
    modules = {"ours": fused(block), "published": published.eval(), "conv": fused(conv)}
    runs = {key: onnx_runner(f"{name} ({key})", module, x) for key, module in modules.items()}
    limit = machine.limit(*cost(modules["ours"], x))
    return Row(name, scale, level, 1, "onnxruntime", **interleaved(runs, rounds), limit=limit)
