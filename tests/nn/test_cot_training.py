"""CoTAttention's training pass as one function: the published form's values and derivatives, and when it steps back."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from ultralytics.nn.modules import Conv

from tests.tolerances import PARITY, distance
from yolo_cot.nn import CoTAttention, OutlookAttention
from yolo_cot.reference.published import PublishedCoTAttention


def block(c1: int = 16, dtype: torch.dtype = torch.float64, **arguments) -> CoTAttention:
    torch.manual_seed(0)
    made = CoTAttention(c1, **arguments).train()
    for norm in batch_norms(made):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return made.to(dtype)


def batch_norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    return [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]


def image(*size: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(*size, dtype=dtype)


def at_once(y: torch.Tensor) -> bool:
    """Whether a value was computed by the function, and not operation by operation."""
    return y.grad_fn is not None and "DynamicContext" in y.grad_fn.name()


def watch(module: CoTAttention) -> CoTAttention:
    """With somebody looking at a part, so that each part is called."""
    module.mix.register_forward_hook(lambda *_: None)
    return module


def found(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Output, gradients of input and parameters, running statistics.

    Left out is the last layer's bias: its gradient is 0 or the rounding error of that.
    """
    leaf = x.clone().requires_grad_()
    y = module(leaf)
    seed = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)
    gradients = torch.autograd.grad(y, [leaf, *list(module.parameters())[:-1]], seed)
    return [y.detach(), *gradients, *(buffer.double() for buffer in module.buffers())]


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("size", [(2, 7, 5), (1, 8, 8), (3, 1, 9), (2, 1, 1)])
@pytest.mark.parametrize("arguments", [{}, {"kernel_size": 5, "factor": 2, "groups": 1}])
def test_everything_is_that_of_the_published_form(watched, size, arguments):
    ours = block(**arguments)
    theirs = PublishedCoTAttention(ours).double().train()
    x = image(size[0], 16, *size[1:])
    assert at_once(ours(x))
    for norm in batch_norms(ours):
        norm.reset_running_stats()
    got, wanted = found(watch(ours) if watched else ours, x), found(theirs, x)
    assert all(distance(a, b) < PARITY * 100 for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("momentum", [None, 0.3])
def test_running_statistics_are_those_of_the_modules_step_by_step(momentum):
    ours = block()
    for norm in batch_norms(ours):
        norm.momentum = momentum
    plain = watch(copy.deepcopy(ours))
    for step in range(3):
        x = image(2, 16, 4, 3) * (step + 1) + step
        assert at_once(ours(x))
        assert not at_once(plain(x))
    for a, b in zip(ours.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(a, b)


def test_derivatives_of_both_orders():
    ours = block(4, factor=2, groups=2)
    names = [name for name, _ in ours.named_parameters()]

    def run(x, *parameters):
        y = torch.func.functional_call(ours, dict(zip(names, parameters)), (x,))
        assert at_once(y)
        return y

    leaves = [t.detach().clone().requires_grad_() for t in (image(2, 4, 3, 2), *ours.parameters())]
    assert torch.autograd.gradcheck(run, leaves)
    assert torch.autograd.gradgradcheck(run, leaves)


def test_a_second_backward_pass_finds_what_the_first_one_found():
    ours = block()
    y = ours(image(2, 16, 4, 5).requires_grad_())
    first, second = (torch.autograd.grad(y.sum(), [*ours.parameters()], retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_bias_that_no_softmax_sees_has_a_gradient_of_exactly_zero():
    ours = block(dtype=torch.float32)
    ours(image(2, 16, 4, 5, dtype=torch.float32)).square().sum().backward()
    bias = ours.attention_mean.bias
    assert bias is not None
    assert bias.grad is not None
    assert not bias.grad.any()


@pytest.mark.parametrize("trained", ["x", "key_embed.conv.weight", "value_embed.bn.bias", "attention_mean.weight"])
def test_only_what_is_asked_for_gets_a_gradient(trained):
    results = []
    for module in (block(), watch(block())):
        module.requires_grad_(False)
        x = image(2, 16, 4, 3).requires_grad_(trained == "x")
        leaf = x if trained == "x" else module.get_parameter(trained).requires_grad_()
        y = module(x)
        (plain,) = torch.autograd.grad(y.square().sum(), leaf, create_graph=True)
        second = torch.autograd.grad(plain.square().sum(), leaf)[0]
        module(x).square().sum().backward()
        assert all(p.grad is None for p in module.parameters() if p is not leaf)
        results.append([y, plain, second, leaf.grad])
    assert all(distance(a, b) < PARITY * 100 for a, b in zip(*results, strict=True))


def test_statistics_of_maps_far_from_zero_lose_nothing():
    """float32: a variance by mean of squares less square of the mean would have no digit left here."""
    ours = block(dtype=torch.float32)
    x = image(2, 16, 6, 6) + 3000
    exact, single = found(copy.deepcopy(ours).double(), x), found(ours, x.float())
    plain = found(watch(block(dtype=torch.float32)), x.float())
    for a, b, c in zip(single, plain, exact, strict=True):
        assert distance(a.double(), c) < 4 * distance(b.double(), c) + 1e-5


def test_maps_of_one_value_stay_maps_of_one_value():
    """float32: what rounding leaves of the mean must not be taken for a deviation."""
    x = torch.full((4, 16, 20, 20), 1000.1, dtype=torch.float64)
    exact, single = block()(x), block(dtype=torch.float32)(x.float())
    assert distance(single, exact) < 1e-6


def other_batch_norm(module):
    class Other(nn.BatchNorm2d):
        pass

    module.value_embed.bn.__class__ = Other


def other_activation(module):
    module.key_embed.act = nn.SiLU()


def lead(module):
    module.attention_mean.register_forward_pre_hook(lambda *_: None)


def follow(module):
    module.value_embed.register_full_backward_hook(lambda *_: None)


def frozen_statistics(module):
    module.attention_embed.bn.eval()


def no_statistics(module):
    module.value_embed.bn = nn.BatchNorm2d(16, track_running_stats=False).double()


def no_parameters(module):
    module.value_embed.bn = nn.BatchNorm2d(16, affine=False).double()


def statistics_no_longer_tracked(module):
    module.value_embed.bn.track_running_stats = False


def uncounted(module):
    module.value_embed.bn.num_batches_tracked = None


def no_shift(module):
    module.value_embed.bn.register_parameter("bias", None)


def around(module):
    module.key_embed.conv.padding_mode = "circular"


def dilated(module):
    module.key_embed.conv.dilation = module.key_embed.conv.padding = (2, 2)


def shifted(module):
    module.key_embed.conv.bias = nn.Parameter(torch.ones(16).double())


def wrapped(module):
    """As some training libraries do it: a function of the instance."""
    original = module.value_embed.forward
    module.value_embed.forward = lambda x: original(x) * 2


def deployed_in_part(module):
    module.value_embed.forward = module.value_embed.forward_fuse
    module.value_embed.conv.bias = nn.Parameter(torch.ones(16).double())
    del module.value_embed.bn


CHANGES = [other_batch_norm, other_activation, lead, follow, frozen_statistics, no_statistics, no_parameters]
CHANGES += [deployed_in_part, nn.Module.eval, statistics_no_longer_tracked, uncounted, no_shift]
CHANGES += [around, dilated, shifted, wrapped]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_modules_that_were_changed_are_called(change):
    ours = block()
    change(ours)
    assert not at_once(ours(image(2, 16, 4, 4).requires_grad_()))


@pytest.mark.parametrize("change", [statistics_no_longer_tracked, around, dilated, shifted, wrapped, no_shift])
def test_what_was_changed_is_computed(change):
    ours, plain = block(), watch(block())
    change(ours)
    change(plain)
    x = image(2, 16, 5, 6)
    assert all(distance(a, b) < PARITY for a, b in zip(found(ours, x), found(plain, x), strict=True))


@pytest.mark.parametrize("reentrant, create_graph", [(True, False), (False, False), (False, True)])
def test_checkpointing_finds_the_same_gradients(reentrant, create_graph):
    results = []
    for checkpointed in (True, False):
        ours, x = block(), image(2, 16, 4, 5).requires_grad_()
        leaves = [x, *ours.parameters()]
        y = checkpoint(ours, x, use_reentrant=reentrant) if checkpointed else ours(x)
        if reentrant:  # which takes no `autograd.grad`
            y.square().sum().backward()
            results.append([y, *(leaf.grad for leaf in leaves)])
        else:
            results.append([y, *torch.autograd.grad(y.square().sum(), leaves, create_graph=create_graph)])
    assert all(distance(a, b) < PARITY for a, b in zip(*results, strict=True))


def test_one_backward_pass_may_span_a_step_in_evaluation_and_one_in_training():
    """The library's batch norm updates its statistics without a word to graphs that saved them; so does this."""
    ours, x = block(), image(2, 16, 4, 5).requires_grad_()
    total = ours.eval()(x).sum()
    y = ours.train()(x)
    assert at_once(y)
    (total + y.sum()).backward()
    assert x.grad is not None


def test_tensors_of_other_kinds_are_left_to_the_modules():
    class Annotated(torch.Tensor):
        pass

    x = image(2, 16, 4, 5).as_subclass(Annotated).requires_grad_()
    y = block()(x)
    assert not at_once(y)
    y.sum().backward()


def test_a_graph_of_the_gradients_made_under_autocast_is_as_exact_as_elsewhere():
    results = []
    for autocast in (False, True):
        ours, x = block(dtype=torch.float32), image(2, 16, 4, 5, dtype=torch.float32).requires_grad_()
        y = ours(x)
        with torch.autocast("cpu", enabled=autocast):
            results.append(torch.autograd.grad(y.square().sum(), [x, *ours.parameters()], create_graph=True))
    assert all(distance(a, b) < 1e-5 for a, b in zip(*results, strict=True))


def test_a_hook_for_all_modules_is_called_for_every_part():
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module))
    try:
        ours = block()
        assert not at_once(ours(image(2, 16, 4, 4)))
    finally:
        handle.remove()
    assert ours.value_embed.bn in seen
    assert at_once(ours(image(2, 16, 4, 4)))


def test_a_hook_on_the_block_itself_sees_what_it_always_saw():
    ours, seen = block(), []
    ours.register_forward_hook(lambda _, inputs, output: seen.extend((inputs[0], output)))
    x = image(2, 16, 4, 4)
    y = ours(x)
    assert at_once(y)
    assert seen[0] is x
    assert seen[1] is y
    assert torch.equal(x, image(2, 16, 4, 4))


def test_a_backward_hook_on_outlook_attentions_mix_is_called():
    attention, seen = OutlookAttention(32).double().train(), []
    attention.mix.register_full_backward_hook(lambda *_: seen.append(1))
    attention(image(1, 32, 4, 4).requires_grad_()).sum().backward()
    assert seen


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_lower_precision_and_autocast_are_computed_module_by_module(dtype):
    ours = block(dtype=dtype)
    with torch.autocast("cpu", enabled=dtype == torch.float32):
        y = ours(image(2, 16, 4, 4, dtype=dtype))
    assert not at_once(y)
    y.float().sum().backward()


def test_maps_with_their_channels_last_are_computed_module_by_module():
    ours, x = block(), image(2, 16, 4, 4)
    assert not at_once(ours(x.contiguous(memory_format=torch.channels_last)))
    for tensor in (x, block(dtype=torch.float32)(x.float())):
        assert tensor.is_contiguous()


def test_gradients_that_arrive_in_another_order_are_understood():
    ours, seed = block(), image(2, 16, 4, 5)
    gradients = []
    for arriving in (seed, seed.contiguous(memory_format=torch.channels_last), seed[:1, :1].expand_as(seed)):
        x = image(2, 16, 4, 5).requires_grad_()
        y = ours(x)
        assert at_once(y)
        gradients.append(torch.autograd.grad(y, x, arriving)[0])
    assert torch.equal(gradients[0], gradients[1])
    y = ours(x)
    (wanted,) = torch.autograd.grad(y, x, seed[:1, :1].repeat(2, 16, 1, 1))
    assert torch.equal(gradients[2], wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_with_their_channels_last_are_taken_as_they_are(dtype):
    """In float32 the library's convolution answers them with channels last."""
    ours, x = block(dtype=dtype), image(2, 16, 4, 4, dtype=dtype)
    wanted, tolerance = found(block(dtype=dtype), x), PARITY if dtype == torch.float64 else 1e-5
    for conv in ours.modules():
        if isinstance(conv, nn.Conv2d):
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    y = ours(x)
    assert at_once(y)
    assert y.is_contiguous()
    for norm in batch_norms(ours):
        norm.reset_running_stats()
    assert all(distance(a, b) < tolerance for a, b in zip(found(ours, x), wanted, strict=True))


def test_one_value_a_channel_is_refused_as_ever():
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        block()(image(1, 16, 1, 1))


def test_blocks_from_before_are_taken_too():
    """Their first convolution is a plain Conv and so may the others be; what they are called with is theirs."""
    old = block()
    old.value_embed.__class__ = Conv
    old.value_embed.conv.__class__ = nn.Conv2d
    x = image(2, 16, 5, 3)
    assert at_once(old(x))
    for norm in batch_norms(old):
        norm.reset_running_stats()
    assert all(distance(a, b) < PARITY for a, b in zip(found(old, x), found(block(), x), strict=True))
