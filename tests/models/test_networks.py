import math

import pytest
import torch
from torch.nn import functional as F

from rst_core.models.architectures import PostActBlock, PreActBlock
from rst_core.models.networks import (
    build_classifier,
    classifier_weight_name,
    draw_weights,
    parameter_count,
    prunable_weights,
)
from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Architecture, Init
from tests.conftest import narrow_classifier

_PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def of(architecture: Architecture, width: float = 1.0, classes: int = 10):
    return build_classifier(
        NetworkSettings(architecture=architecture, width=width), classes, *_PLAIN
    )


@pytest.mark.parametrize(
    ("architecture", "published", "decimals"),
    [(Architecture.PREACT_RESNET18, 11.17, 2), (Architecture.WIDE_RESNET34, 46.2, 1)],
)
def test_parameter_counts_are_the_papers(architecture, published, decimals):
    """The paper counts affine batch norms too, 2 values a channel; ours has none [4.1]."""
    model = of(architecture)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    affine = sum(2 * m.num_features for m in norms)
    assert round((parameter_count(model) + affine) / 1e6, decimals) == published
    assert affine < 0.002 * parameter_count(model)
    assert parameter_count(model) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("architecture", list(Architecture))
def test_every_network_maps_images_to_logits_and_has_only_prunable_parameters(architecture):
    width = 1 / 16 if architecture.value.startswith(("preact", "wide")) else 1
    model = of(architecture, width, classes=7)
    draw_weights(model, Init.KAIMING_NORMAL, 0)
    assert model.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 7)
    assert set(prunable_weights(model)) == {n for n, _ in model.named_parameters()}


def test_a_width_that_torchvision_cannot_build_is_refused():
    with pytest.raises(ValueError, match=r"width is 0.5; allowed is 1"):
        of(Architecture.RESNET18, 0.5)


def test_signed_kaiming_constant_has_one_magnitude_and_both_signs():
    for weight in prunable_weights(narrow_classifier()).values():
        expected = math.sqrt(2 / weight[0].numel())
        assert torch.allclose(weight.abs(), torch.tensor(expected))
        assert 0.2 < (weight > 0).float().mean() < 0.8


@pytest.mark.parametrize(
    ("init", "deviation"),
    [
        (Init.KAIMING_NORMAL, lambda fan_in, fan_out: math.sqrt(2 / fan_in)),
        (Init.KAIMING_UNIFORM, lambda fan_in, fan_out: math.sqrt(2 / fan_in)),
        (Init.XAVIER_NORMAL, lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))),
    ],
)
def test_inits_have_their_textbook_deviation(init, deviation):
    weight = prunable_weights(narrow_classifier(init))["network.blocks.7.conv2.weight"]
    fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
    assert weight.std().item() == pytest.approx(deviation(fan_in, fan_out), rel=0.05)
    assert weight.mean().item() == pytest.approx(0, abs=0.01)
    kurtosis = (weight / weight.std()).pow(4).mean().item()
    assert kurtosis == pytest.approx(1.8 if init is Init.KAIMING_UNIFORM else 3, rel=0.1)


def test_the_seed_determines_the_weights_and_datasets_share_all_but_the_head():
    one, again, other = (
        of(Architecture.PREACT_RESNET18, 1 / 16),
        of(Architecture.PREACT_RESNET18, 1 / 16),
        of(Architecture.PREACT_RESNET18, 1 / 16, classes=100),
    )
    for model in (one, again, other):
        draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 3)
    head = classifier_weight_name(one)
    for name, weight in prunable_weights(one).items():
        assert torch.equal(weight, prunable_weights(again)[name])
        if name != head:
            assert torch.equal(weight, prunable_weights(other)[name])
    draw_weights(again, Init.SIGNED_KAIMING_CONSTANT, 4)
    assert not torch.equal(prunable_weights(one)[head], prunable_weights(again)[head])


def normalised(x):
    """Batch norm without affine parameters, in training."""
    return (x - x.mean((0, 2, 3), True)) / (x.var((0, 2, 3), False, True) + 1e-5).sqrt()


@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (8, 1), (4, 2), (8, 2)])
@pytest.mark.parametrize("block", [PreActBlock, PostActBlock])
def test_a_block_is_the_formula_of_its_paper(block, channels, stride):
    """He et al. 2016, whose projection sees the pre-activated input; and He et al. 2015."""
    built = block(4, channels, stride).train()
    x = torch.randn(5, 4, 6, 6) + 0.5
    first, second = built.conv1.weight, built.conv2.weight
    projects = stride != 1 or channels != 4
    assert (built.shortcut is not None and len(list(built.shortcut.parameters())) == 1) == projects
    if block is PreActBlock:
        inner = F.relu(normalised(x))
        skip = F.conv2d(inner, built.shortcut.weight, stride=stride) if projects else x
        inner = F.conv2d(inner, first, stride=stride, padding=1)
        expected = skip + F.conv2d(F.relu(normalised(inner)), second, padding=1)
    else:
        inner = F.relu(normalised(F.conv2d(x, first, stride=stride, padding=1)))
        skip = x
        if projects:
            skip = normalised(F.conv2d(x, built.shortcut[0].weight, stride=stride))
        expected = F.relu(normalised(F.conv2d(inner, second, padding=1)) + skip)
    assert torch.allclose(built(x), expected, atol=1e-5)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_running_statistics_after_a_step_are_a_tenth_of_the_batchs(architecture):
    """PyTorch's default momentum of 0.1, which the released code has too."""
    width = 1 / 16 if architecture.value.startswith(("preact", "postact", "wide")) else 1
    model = of(architecture, width)
    draw_weights(model, Init.KAIMING_NORMAL, 0)
    seen = {}

    def note(module, inputs, _):  # at once: torchvision's activations are in place
        (x,) = inputs
        seen[module] = x.mean((0, 2, 3)), x.var((0, 2, 3)), x[:, 0].numel()

    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.register_forward_hook(note)
    model.train()(torch.rand(4, 3, 32, 32))
    assert len(norms) == len(seen)
    for norm, (mean, variance, count) in seen.items():
        assert not norm.affine
        assert torch.allclose(norm.running_mean, 0.1 * mean, atol=1e-4)
        if count > 4:
            assert torch.allclose(norm.running_var, 0.9 + 0.1 * variance, rtol=1e-3)


@pytest.mark.parametrize(
    ("architecture", "sides"),
    [
        (Architecture.PREACT_RESNET18, [32, 32, 16, 16, 8, 8, 4, 4]),
        (Architecture.POSTACT_RESNET18, [32, 32, 16, 16, 8, 8, 4, 4]),
        (Architecture.WIDE_RESNET34, [32] * 5 + [16] * 5 + [8] * 5),
    ],
)
def test_stages_halve_the_image_where_the_papers_do(architecture, sides):
    """He et al. 2016 and Zagoruyko and Komodakis 2016, Table 1; no parameter count says it."""
    model = of(architecture, 1 / 16)
    found = []
    for module in model.modules():
        if isinstance(module, PreActBlock | PostActBlock):
            module.register_forward_hook(lambda _, inputs, out: found.append(out.shape[-1]))
    model.eval()(torch.rand(1, 3, 32, 32))
    assert found == sides


def test_each_channel_is_normalised_by_its_own_mean_and_deviation():
    mean, std = (0.1, 0.2, 0.3), (0.2, 0.4, 0.8)
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=1 / 16)
    model = build_classifier(settings, 10, mean, std)
    seen = []
    model.network.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    model(images)
    for channel in range(3):
        wanted = (images[:, channel] - mean[channel]) / std[channel]
        assert torch.allclose(seen[0][:, channel], wanted)
