"""Every attack on the device finds what it finds on the CPU."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from rst_core.data.images import Images, as_float
from rst_core.device.seeding import generator
from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.measures.features import feature_distances
from rst_core.measures.suspicion import measure_checks
from rst_core.models.files import batch_norm_statistics
from rst_core.models.networks import Classifier, draw_weights, prunable_weights, to_device
from rst_core.models.r2s import RandomSwitch, adversary_view
from rst_core.vocabulary import AttackMethod, Init
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import DIGITS, narrow_classifier
from tests.pretend_gpu import device as pretend
from tests.pretend_gpu.conftest import CPU, check_formats

#: Auto-Attack's other version goes through the same adapter, and averages 20 gradients a step.
METHODS = [method for method in AttackMethod if method is not AttackMethod.AUTO_ATTACK_RAND]


def models(device: torch.device, count: int, make=narrow_classifier):
    placed = [to_device(make(seed=seed), device) for seed in range(count)]
    return [model.requires_grad_(False).eval() for model in placed]


def tiny_classifier(seed: int) -> Classifier:
    """What Auto-Attack can ask ten thousand times."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, bias=False),
        nn.BatchNorm2d(8, affine=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(72, 10, bias=False),
    )
    model = Classifier(network, DIGITS.mean, DIGITS.std)
    draw_weights(model, Init.KAIMING_NORMAL, seed)
    return model


def noting(model, seen: list[torch.Tensor]):
    """The model, which also notes the images that it is asked about."""

    def call(images):
        seen.append(images.cpu())
        return model(images)

    return call


@pytest.mark.parametrize("method", METHODS)
def test_adversarial_images_and_outcomes_are_the_cpus(gpu, one_format, few_digits, method):
    found, seen, spec = [], [], EXAMPLES[method]
    if method in (AttackMethod.EOT, AttackMethod.ENSEMBLE):
        # Against a random defence there is no first success.
        spec = dataclasses.replace(spec, stop_at_success=False)
    pixels = few_digits.test.pixels[:3]
    # Auto-Attack asks ten thousand times a batch.
    batches = 1 if method is AttackMethod.AUTO_ATTACK else 2
    # What the untrained model says, so that there is something to attack; one image is wrong.
    labels = models(CPU, 1, tiny_classifier)[0](as_float(pixels)).argmax(1)
    labels[1] = (labels[1] + 1) % 10
    for device in (gpu, CPU):
        members = models(device, 2, tiny_classifier)
        source = adversary_view(members, method) if method.on_sets else members[0]
        targets = {"own": members[0], "other": noting(members[1], seen)}
        images = Images(pixels, labels).to(device)
        found.append(attack_and_evaluate(source, targets, images, spec, batch_size=4 - batches))
    on_gpu, on_cpu = found
    assert len(seen) == 2 * batches
    for ours, theirs in zip(seen[:batches], seen[batches:], strict=True):
        assert torch.equal(ours, theirs), "the adversarial images"
    for name, outcomes in on_cpu.outcomes.items():
        assert torch.equal(on_gpu.outcomes[name], outcomes)
    if on_cpu.queries is not None:
        assert torch.equal(on_gpu.queries, on_cpu.queries)


def test_what_is_measured_beside_an_attack_is_the_cpus(gpu, one_format, few_digits):
    found = []
    for device in (gpu, CPU):
        (model,), images = models(device, 1), few_digits.test.first(12).to(device)
        distances = feature_distances(model, images, (8.0,), 0)
        clean, checks = natural_outcomes(model, images), measure_checks(model, images, 0)
        found.append((clean, distances[8.0].cpu(), checks))
    (clean, far, checks), (clean_cpu, far_cpu, checks_cpu) = found
    assert torch.equal(clean, clean_cpu)
    assert torch.equal(far, far_cpu)
    assert checks == checks_cpu


@pytest.mark.parametrize("switch", ["call", "image"])
def test_a_random_switch_answers_as_on_the_cpu(gpu, one_format, few_digits, switch):
    """Its tickets are drawn on the CPU, wherever it computes."""
    found = []
    for device in (gpu, CPU):
        rng = generator("masks")
        model = narrow_classifier()
        shapes = {name: weight.shape for name, weight in prunable_weights(model).items()}
        masks = [{n: torch.rand(s, generator=rng) < 0.5 for n, s in shapes.items()} for _ in "ab"]
        statistics = [batch_norm_statistics(model)] * 2
        module = RandomSwitch(to_device(model, device), masks, statistics, switch=switch, seed=0)
        images = as_float(few_digits.test.pixels[:6]).to(device)
        found.append(module(images).cpu())
    assert torch.equal(*found)


def test_attacks_compute_float32_channels_first(gpu, few_digits):
    (model,) = models(gpu, 1)
    images = few_digits.test.first(12).to(gpu)
    attack_and_evaluate(model, {"self": model}, images, EXAMPLES[AttackMethod.PGD])
    check_formats()
    assert {found.dtype for found in pretend.convolutions} == {torch.float32}
