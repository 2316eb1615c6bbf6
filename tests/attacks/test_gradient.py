"""Projected gradient descent against the plain loop, autograd and a linear model."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from rst_core.attacks import run_attack
from rst_core.attacks.budget import image_units
from rst_core.attacks.gradient import input_gradient, random_start
from rst_core.settings import AttackSpec, validation_attack
from rst_core.vocabulary import AttackMethod, Norm
from tests.attacks.attack_examples import linear, rng

PGD = validation_attack(8, 5)


def test_input_gradients_are_those_of_autograd(model, batch):
    images, labels = batch
    logits, losses, gradient = input_gradient(model, images, labels)
    leaf = images.clone().requires_grad_(True)
    F.cross_entropy(model(leaf), labels, reduction="sum").backward()
    assert torch.allclose(gradient, leaf.grad, atol=1e-6)
    assert torch.allclose(losses, F.cross_entropy(logits, labels, reduction="none"))


@pytest.mark.parametrize("norm", list(Norm))
def test_dropping_misclassified_images_does_not_change_any_outcome(model, batch, norm):
    """Against the plain loop, in which a misclassified image merely stands still."""
    images, labels = batch
    with torch.no_grad():
        labels = torch.where(torch.arange(24) < 18, model(images).argmax(1), labels)
    size = 3.0 if norm is Norm.LINF else 0.1
    spec = dataclasses.replace(PGD, norm=norm, eps=size, step_size=size / 4, steps=6)
    dropped = run_attack(model, images, labels, spec, rng(5))
    plain = plain_attack(model, images, labels, spec, rng(5))
    assert torch.allclose(dropped, plain, atol=1e-5)
    with torch.no_grad():
        outcomes = [model(x).argmax(1) == labels for x in (dropped, plain)]
    assert torch.equal(*outcomes)
    assert 0 < int(outcomes[0].sum()) < 18, "a test in which all or none falls shows nothing"


def plain_attack(model, images, labels, spec, generator):
    from rst_core.attacks.gradient import _step, random_start

    current = random_start(images, spec, generator)
    for _ in range(spec.steps):
        logits, _, gradient = input_gradient(model, current, labels)
        correct = (logits.argmax(1) == labels)[:, None, None, None]
        current = torch.where(correct, _step(current, gradient, images, spec), current)
    return current


def test_fgsm_is_one_full_step_and_fgsm_rs_stays_inside():
    model, direction, images, labels = linear()
    fgsm = AttackSpec(
        name="fgsm", method=AttackMethod.PGD, norm=Norm.LINF, eps=4, steps=1, step_size=4
    )
    away = torch.where(labels == 1, -1.0, 1.0)[:, None] * direction.sign()
    expected = images.flatten(1) + away * 4 / 255
    adversarial = run_attack(model, images, labels, fgsm, rng())
    assert torch.allclose(adversarial.flatten(1), expected, atol=1e-6)
    fgsm_rs = dataclasses.replace(fgsm, step_size=5, random_start=True)
    delta = run_attack(model, images, labels, fgsm_rs, rng()) - images
    assert delta.abs().max() <= 4 / 255 + 1e-6


@pytest.mark.parametrize("norm", list(Norm))
def test_a_random_start_is_uniform_in_the_ball(norm):
    """Of the ball's volume a share u lies where L2 norms are below u^(1/d), moves below 2u - 1."""
    images = torch.full((3000, 3, 2, 2), 0.5)
    eps = 50.0 if norm is Norm.LINF else 0.2  # far from the walls of the box
    spec = dataclasses.replace(PGD, norm=norm, eps=eps, step_size=eps)
    moves = (random_start(images, spec, rng()) - images).flatten(1) / image_units(eps, norm)
    shares = (moves + 1) / 2 if norm is Norm.LINF else moves.norm(dim=1, keepdim=True) ** 12
    for share in shares.T:
        ranks = torch.arange(1, 3001) / 3000
        assert (share.sort().values - ranks).abs().max() < 0.04  # Kolmogorov and Smirnov's, p 1e-4
    assert (moves.mean(0).abs() < 0.05).all(), "no direction is preferred"


def test_of_several_restarts_a_correct_image_gets_the_one_of_the_largest_loss(model, batch):
    images, _ = batch
    with torch.no_grad():
        labels = model(images).argmax(1)
    spec = dataclasses.replace(PGD, eps=1.0, steps=1, step_size=0.1, restarts=4)
    found = run_attack(model, images, labels, spec, rng(6))
    single, generator = dataclasses.replace(spec, restarts=1), rng(6)
    tried = torch.stack([run_attack(model, images, labels, single, generator) for _ in range(4)])
    with torch.no_grad():
        logits = torch.stack([model(x) for x in tried])
        losses = torch.stack([F.cross_entropy(one, labels, reduction="none") for one in logits])
    correct = (logits.argmax(-1) == labels).all(0)
    assert correct.sum() > 12
    assert len(set(losses.argmax(0).tolist())) > 1
    best = tried[losses.argmax(0), torch.arange(len(images))]
    assert torch.allclose(found[correct], best[correct], atol=1e-6)
