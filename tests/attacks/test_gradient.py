import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from rst_core.attacks import _ATTACKS, run_attack
from rst_core.attacks.budget import BudgetError, excess, image_units
from rst_core.attacks.gradient import input_gradient, random_start
from rst_core.settings import AttackSpec, validation_attack
from rst_core.vocabulary import AttackMethod, Norm
from tests.conftest import narrow_classifier

PGD = validation_attack(8, 5)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model():
    return narrow_classifier().eval()


@pytest.fixture(scope="module")
def batch():
    images = torch.rand(24, 3, 8, 8, generator=rng(1))
    images[:4] = images[:4].round()  # at the walls of the box
    return images, torch.randint(0, 10, (24,), generator=rng(2))


@settings(max_examples=40)
@given(
    norm=st.sampled_from(Norm),
    eps=st.sampled_from([0.0, 0.5, 2.0, 8.0, 64.0, 255.0]),
    steps=st.integers(1, 4),
    relative_step=st.sampled_from([0.1, 1.0, 2.5]),
    random_start=st.booleans(),
    restarts=st.integers(1, 3),
    stop=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_result_is_always_in_the_ball_and_in_the_box(
    model, batch, norm, eps, steps, relative_step, random_start, restarts, stop, seed
):
    spec = AttackSpec(
        name="any",
        method=AttackMethod.PGD,
        norm=norm,
        eps=eps,
        steps=steps,
        step_size=min(relative_step * eps, 255.0) or 1.0,
        random_start=random_start,
        restarts=restarts if random_start else 1,
        stop_at_success=stop,
    )
    images, labels = batch
    adversarial = run_attack(model, images, labels, spec, rng(seed))
    delta = adversarial - images
    size = delta.abs().amax() if norm is Norm.LINF else delta.flatten(1).norm(dim=1).amax()
    assert size <= image_units(eps, norm) + 1e-4
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1


def test_a_result_out_of_budget_is_an_error_and_never_a_number(model, batch, monkeypatch):
    images, labels = batch
    for bad in (
        lambda m, x, y, s, r: x + 0.1,
        lambda m, x, y, s, r: x - 0.02 * (x < 0.02),
        lambda m, x, y, s, r: x * float("nan"),
    ):
        monkeypatch.setitem(_ATTACKS, AttackMethod.PGD, bad)
        with pytest.raises(BudgetError, match="the cell has no number"):
            run_attack(model, images, labels, PGD, rng())


def test_excess_measures_the_worst_image():
    images = torch.full((3, 3, 4, 4), 0.5)
    moved = images.clone()
    moved[1, 0, 0, 0] += 9 / 255
    assert excess(moved, images, PGD).item() == pytest.approx(1 / 255, abs=1e-6)
    assert excess(moved, images, dataclasses.replace(PGD, eps=9)) <= 1e-6


def test_input_gradients_are_those_of_autograd(model, batch):
    images, labels = batch
    logits, losses, gradient = input_gradient(model, images, labels)
    leaf = images.clone().requires_grad_(True)
    F.cross_entropy(model(leaf), labels, reduction="sum").backward()
    assert torch.allclose(gradient, leaf.grad, atol=1e-6)
    assert torch.allclose(losses, F.cross_entropy(logits, labels, reduction="none"))


@pytest.mark.parametrize("norm", list(Norm))
def test_dropping_fallen_images_does_not_change_any_outcome(model, batch, norm):
    """Against the plain loop, in which a fallen image merely stands still."""
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
        standing = (logits.argmax(1) == labels)[:, None, None, None]
        current = torch.where(standing, _step(current, gradient, images, spec), current)
    return current


def linear(seed: int = 0):
    """Two-class linear model in the middle of the box, where no wall interferes."""
    direction = torch.randn(3 * 4 * 4, generator=rng(seed)) / 7

    def model(images):
        score = (images.flatten(1) - 0.5) @ direction
        return torch.stack([-score, score], dim=1)

    images = 0.5 + 0.06 * torch.randn(400, 3, 4, 4, generator=rng(seed + 1)).clamp(-3, 3)
    labels = (model(images)[:, 1] > 0).long()
    return model, direction, images, labels


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


def test_more_steps_restarts_and_eps_only_help_the_attacker(model, batch):
    images, _ = batch
    with torch.no_grad():
        labels = model(images).argmax(1)

    def survivors(**change):
        spec = dataclasses.replace(PGD, eps=2.0, step_size=0.5, **change)
        adversarial = run_attack(model, images, labels, spec, rng())
        with torch.no_grad():
            return int((model(adversarial).argmax(1) == labels).sum())

    one = survivors(steps=2)
    assert survivors(steps=2, restarts=4) <= one
    assert survivors(steps=20) <= one
    assert survivors(steps=20, restarts=4) <= survivors(steps=20)


def test_of_several_restarts_a_standing_image_gets_the_one_of_the_largest_loss(model, batch):
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
    standing = (logits.argmax(-1) == labels).all(0)
    assert standing.sum() > 12
    assert len(set(losses.argmax(0).tolist())) > 1
    best = tried[losses.argmax(0), torch.arange(len(images))]
    assert torch.allclose(found[standing], best[standing], atol=1e-6)
