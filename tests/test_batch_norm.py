import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, vmap

from rst_core import batch_norm
from rst_core.attacks.gradient import input_gradient
from rst_core.batch_norm import BatchNorm
from rst_core.networks import build_classifier, draw_weights
from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Architecture, Init
from tests.conftest import narrow_classifier


@pytest.fixture(autouse=True)
def every_batch_is_large(monkeypatch):
    """So that small ones test the product, not torch's kernel."""
    monkeypatch.setattr(batch_norm, "_FEW", 0)


def with_statistics(norm: nn.BatchNorm2d, seed: int = 0) -> nn.BatchNorm2d:
    """Running statistics as of some training, far from 0 and 1."""
    rng = torch.Generator().manual_seed(seed)
    norm.running_mean.normal_(0, 3, generator=rng)
    norm.running_var.uniform_(1e-4, 9, generator=rng)
    return norm.eval()


def torchs(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """torch's own norm with the same statistics and mode."""
    plain = nn.BatchNorm2d(norm.num_features, affine=norm.affine)
    plain.load_state_dict(norm.state_dict())
    return plain.train(norm.training)


def out_and_gradient(norm, x, towards):
    x = x.clone().requires_grad_(True)
    y = norm(x)
    (gradient,) = torch.autograd.grad(y, x, towards)
    return y.detach(), gradient


@given(
    channels=st.sampled_from([1, 3, 8, 64, 100]),
    images=st.integers(1, 9),
    pixels=st.sampled_from([1, 4, 7]),
    last=st.booleans(),
    training=st.booleans(),
    affine=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_output_gradient_and_statistics_are_torchs_to_the_bit(
    channels, images, pixels, last, training, affine, seed
):
    ours = with_statistics(BatchNorm(channels, affine=affine), seed).train(training)
    plain = torchs(ours)
    rng = torch.Generator().manual_seed(seed)
    x, towards = torch.randn(2, images + 1, channels, pixels, pixels, generator=rng)
    if last:
        x, towards = (t.contiguous(memory_format=torch.channels_last) for t in (x, towards))
    for mine, theirs in zip(
        out_and_gradient(ours, x, towards), out_and_gradient(plain, x, towards), strict=True
    ):
        assert torch.equal(mine, theirs)
        assert mine.stride() == theirs.stride()
    for name, buffer in plain.named_buffers():
        assert torch.equal(ours.get_buffer(name), buffer), name


def narrow(architecture: Architecture):
    if architecture is Architecture.PREACT_RESNET18:
        return narrow_classifier()
    model = build_classifier(
        NetworkSettings(architecture=architecture, width=1), 10, (0.5,) * 3, (0.25,) * 3
    )
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    return model


@pytest.mark.parametrize("architecture", [Architecture.PREACT_RESNET18, Architecture.RESNET18])
def test_an_attack_on_a_whole_network_sees_torchs_gradient_to_the_bit(architecture):
    """And all of the network's norms are the cheap ones: torch's kernel must not run."""
    model = narrow(architecture).requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            with_statistics(module)
    plain = copy.deepcopy(model.eval())
    for parent in list(plain.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, torchs(child))
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 32, 32, generator=rng)
    labels = torch.tensor([0, 1, 2, 3])
    kernels = {}
    for name, network in {"ours": model, "plain": plain}.items():
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            found = input_gradient(network, images, labels)
        kernels[name] = (found, {event.key for event in seen.key_averages()})
    for mine, theirs in zip(kernels["ours"][0], kernels["plain"][0], strict=True):
        assert torch.equal(mine, theirs)
    slow = "aten::native_batch_norm_backward"
    assert slow in kernels["plain"][1], "torch's kernel has another name now"
    assert slow not in kernels["ours"][1]


def test_second_derivatives_and_stacked_networks_work():
    ours = with_statistics(BatchNorm(3, affine=False)).double()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(ours, x)
    other = with_statistics(BatchNorm(3, affine=False), seed=1).double()
    buffers = {
        name: torch.stack([buffer, other.get_buffer(name)]) for name, buffer in ours.named_buffers()
    }
    y = vmap(lambda b, x: functional_call(ours, b, (x,)))(buffers, torch.stack([x, x]))
    torch.testing.assert_close(y, torch.stack([ours(x), other(x)]))
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    (expected,) = torch.autograd.grad(ours(x).square().sum() + other(x).square().sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_autocast_leaves_the_gradient_in_the_inputs_type():
    ours = with_statistics(BatchNorm(3, affine=False))
    x = torch.randn(2, 3, 4, 4).bfloat16()
    y, gradient = out_and_gradient(ours, x, torch.ones_like(x))
    expected = out_and_gradient(torchs(ours), x, torch.ones_like(x))
    assert y.dtype == gradient.dtype == torch.bfloat16
    assert torch.equal(y, expected[0])
    torch.testing.assert_close(gradient, expected[1])
