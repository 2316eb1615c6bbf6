"""One small, valid spec of every method, and a model whose exact answer is known."""

from __future__ import annotations

from typing import Any

import torch

from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Combination, Norm

_PGD = {"steps": 3, "step_size": 2.0, "random_start": True}


def _linf(method: AttackMethod, **settings: Any) -> AttackSpec:
    return AttackSpec(name=method.value, method=method, norm=Norm.LINF, eps=4.0, **settings)


EXAMPLES: dict[AttackMethod, AttackSpec] = {
    spec.method: spec
    for spec in [
        _linf(AttackMethod.PGD, **_PGD),
        _linf(AttackMethod.EOT, **_PGD),
        _linf(AttackMethod.ENSEMBLE, **_PGD),
        _linf(AttackMethod.CW_INF, **_PGD),
        AttackSpec(
            name="cw_l2",
            method=AttackMethod.CW_L2,
            norm=Norm.L2,
            steps=20,
            learning_rate=0.05,
            search_steps=1,
            constant=1.0,
        ),
        _linf(AttackMethod.AUTO_ATTACK),
        _linf(AttackMethod.AUTO_ATTACK_RAND),
        _linf(AttackMethod.AUTO_ATTACK_EXPECTED),
        _linf(AttackMethod.APGD, steps=10, restarts=2, combine=Combination.PROBABILITIES),
        _linf(AttackMethod.SQUARE, steps=30),
        _linf(
            AttackMethod.BANDITS,
            steps=15,
            step_size=1.0,
            learning_rate=100.0,
            probe=0.1,
            exploration=1.0,
            tiles=4,
        ),
    ]
}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(seed: int = 0):
    """Two-class linear model in the middle of the box, where no wall interferes."""
    direction = torch.randn(3 * 4 * 4, generator=rng(seed)) / 7

    def model(images):
        score = (images.flatten(1) - 0.5) @ direction
        return torch.stack([-score, score], dim=1)

    images = 0.5 + 0.06 * torch.randn(400, 3, 4, 4, generator=rng(seed + 1)).clamp(-3, 3)
    labels = (model(images)[:, 1] > 0).long()
    return model, direction, images, labels
