"""Attacks on a linear model, whose robust accuracy is known in closed form."""

from __future__ import annotations

from torch import Tensor

from rst_core.attacks import run_attack
from rst_core.attacks.budget import image_units
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm
from tests.attacks.test_attacks import linear
from tests.crosschecks.subjects import rng


def exact_survivors(eps: float, norm: Norm) -> Tensor:
    """Which images of the linear model survive any attack of that size, N booleans."""
    _, direction, images, _ = linear()
    margin = ((images.flatten(1) - 0.5) @ direction).abs()
    dual = 1 if norm is Norm.LINF else 2
    return margin > image_units(eps, norm) * direction.norm(p=dual)


def survivors(spec: AttackSpec) -> Tensor:
    """Which images of the linear model survive our attack, N booleans."""
    model, _, images, labels = linear()
    found = run_attack(model, images, labels, spec, rng())
    return model(found).argmax(1) == labels


def gradient_spec(method: AttackMethod, norm: Norm, eps: float) -> AttackSpec:
    """An iterated gradient attack that surely reaches the ball's far side."""
    return AttackSpec(
        name=method.value,
        method=method,
        norm=norm,
        eps=eps,
        steps=40,
        step_size=eps / 4,
        random_start=True,
    )


def bandits_spec(eps: float, queries: int) -> AttackSpec:
    """The paper's Bandits; the linear model's images have 4 x 4 pixels, each a tile."""
    return AttackSpec(
        name="bandits",
        method=AttackMethod.BANDITS,
        norm=Norm.LINF,
        eps=eps,
        steps=queries // 2,
        step_size=2.55,
        learning_rate=100.0,
        probe=0.1,
        exploration=1.0,
        tiles=4,
    )
