"""The attacks on a linear model, against its exact answer."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from rst_core.attacks import run_attack
from rst_core.attacks.bandits import gradient_estimate, learn
from rst_core.attacks.budget import image_units
from rst_core.settings import AttackSpec, validation_attack
from rst_core.vocabulary import AttackMethod, Norm
from tests.attacks.attack_examples import linear
from tests.crosschecks.subjects import rng

pytestmark = pytest.mark.crosscheck


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
    return dataclasses.replace(validation_attack(eps, 40), method=method, norm=norm)


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


@pytest.mark.parametrize("eps", [1.0, 3.0])
@pytest.mark.parametrize(
    ("method", "norm", "scale", "stop"),
    [
        (AttackMethod.PGD, Norm.LINF, 1.0, True),
        (AttackMethod.PGD, Norm.LINF, 1.0, False),
        (AttackMethod.PGD, Norm.L2, 0.02, True),
        (AttackMethod.PGD, Norm.L2, 0.02, False),
        (AttackMethod.CW_INF, Norm.LINF, 1.0, True),
    ],
)
def test_a_gradient_attack_hits_the_exact_answer(method, norm, scale, stop, eps):
    """An image survives exactly if its margin exceeds eps times the dual norm of the weights."""
    spec = dataclasses.replace(gradient_spec(method, norm, eps * scale), stop_at_success=stop)
    survived, exact = survivors(spec), exact_survivors(eps * scale, norm)
    assert 20 < int(exact.sum()) < 380
    assert (survived != exact).sum() <= 1


@pytest.mark.parametrize("eps", [1.0, 3.0])
def test_bandits_comes_within_three_points_at_ten_thousand_queries_and_improves(eps):
    exact = 100 * float(exact_survivors(eps, Norm.LINF).float().mean())
    rates = [
        100 * float(survivors(bandits_spec(eps, queries)).float().mean())
        for queries in (20, 200, 10_000)
    ]
    assert rates[0] > rates[1] >= rates[2] >= exact
    assert rates[2] == pytest.approx(exact, abs=3)


def test_bandits_estimate_of_the_gradients_sign_improves_with_queries():
    """Up to a ceiling: queries along a normalised prior say little about small components."""
    model, direction, images, labels = linear()
    spec = bandits_spec(1.0, 2)
    truth = torch.where(labels == 1, -1.0, 1.0)[:, None] * direction.sign()
    dual, generator = torch.zeros_like(images), rng(3)
    agreement = []
    for step in range(1, 501):
        noise = torch.randn(images.shape, generator=generator)
        dual, _ = learn(model, images, labels, dual, noise, spec)
        if step in (1, 10, 100, 500):
            estimate = gradient_estimate(dual, images).flatten(1).sign()
            agreement.append(float((estimate == truth).float().mean()))
    assert agreement == sorted(agreement)
    assert agreement[0] < 0.6, "two queries say next to nothing"
    assert agreement[-1] > 0.8


def test_attack_spec_of_the_linear_model_needs_no_box():
    """The exact answer holds where no wall interferes: all of the ball is inside the box."""
    _, _, images, _ = linear()
    assert images.min() > 3 / 255
    assert images.max() < 1 - 3 / 255
    spec = AttackSpec(name="n", method=AttackMethod.PGD, norm=Norm.LINF, eps=0.0, step_size=1.0)
    model, _, images, labels = linear()
    assert torch.equal(run_attack(model, images, labels, spec, rng()), images)
