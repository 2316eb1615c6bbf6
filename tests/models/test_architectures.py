"""torchvision's ResNets as ImageNet tickets [4.2, Table 1]."""

from __future__ import annotations

import pytest
import torch

from rst_core.models.masks import kept_count, score_shape
from rst_core.models.networks import build_classifier, prunable_weights
from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Architecture, Pattern

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
