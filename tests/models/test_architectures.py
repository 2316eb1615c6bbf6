"""torchvision's ResNets as ImageNet tickets [4.2, Table 1]."""

from __future__ import annotations

import pytest
import torch

from rst_core.models.masks import kept_count, score_shape
from rst_core.models.networks import build_classifier, draw_weights, prunable_weights
from rst_core.settings import NetworkSettings, training_attack
from rst_core.training.loop import step
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, Init, Pattern, SearchMethod

GRAY = (0.5, 0.5, 0.5)


def classifier(architecture, classes=10):
    return build_classifier(NetworkSettings(architecture=architecture), classes, GRAY, GRAY)


@pytest.mark.parametrize(
    ("architecture", "keep_ratio", "published"),
    [(Architecture.RESNET50, 0.4, 9.41e6), (Architecture.RESNET101, 0.25, 10.62e6)],
)
def test_tickets_have_the_published_size(architecture, keep_ratio, published):
    # The paper counts 10-class heads, and batch norms' affine parameters, which ours lack.
    weights = prunable_weights(classifier(architecture))
    kept = sum(
        kept_count(torch.Size(score_shape(w.shape, Pattern.ELEMENT)).numel(), keep_ratio)
        for w in weights.values()
    )
    assert kept == pytest.approx(published, rel=0.003)


def test_fgsm_rs_search_step():
    model = classifier(Architecture.RESNET18, classes=5)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    trainee = MaskTrainee(model, 0.4, Pattern.ELEMENT, 0)
    before = {name: scores.detach().clone() for name, scores in trainee.variables.items()}
    optimiser = torch.optim.SGD(list(trainee.variables.values()), lr=0.1)
    model.train()
    rng = torch.Generator().manual_seed(0)
    images, labels = torch.rand(6, 3, 16, 16, generator=rng), torch.arange(6) % 5
    attack = training_attack(SearchMethod.FGSM_RS, 4.0)
    overrun = torch.full((), -1.0)
    loss, _ = step(trainee, optimiser, images, labels, attack, rng, overrun)
    assert torch.isfinite(loss)
    assert overrun <= 1e-6
    for name, mask in trainee.masks().items():
        assert mask.sum() == kept_count(mask.numel(), 0.4)
        assert not torch.equal(trainee.variables[name], before[name])
