"""The ball and the box: no result leaves them, or it is none."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rst_core import attacks
from rst_core.attacks import run_attack
from rst_core.attacks.budget import BudgetError, check_excess, excess, image_units
from rst_core.settings import AttackSpec, validation_attack
from rst_core.vocabulary import AttackMethod, Norm
from tests.attacks.attack_examples import EXAMPLES, linear, rng

PGD = validation_attack(8, 5)


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


@pytest.mark.parametrize(
    "method", [AttackMethod.PGD, AttackMethod.CW_INF, AttackMethod.BANDITS, AttackMethod.EOT]
)
def test_a_step_is_in_units_of_one_of_255(method):
    """In the middle of the box one step moves every pixel by the whole step, up or down."""
    model, _, images, labels = linear()
    spec = dataclasses.replace(EXAMPLES[method], steps=1, step_size=2.55, random_start=False)
    moves = run_attack(model, images, labels, spec, rng()) - images
    assert torch.allclose(moves.abs(), torch.tensor(0.01), atol=1e-6)


def test_a_step_in_l2_has_the_length_of_the_step():
    model, _, images, labels = linear()
    size = {"norm": Norm.L2, "eps": 1.0, "step_size": 0.1}
    spec = dataclasses.replace(PGD, **size, steps=1, random_start=False)
    moves = run_attack(model, images, labels, spec, rng()) - images
    assert torch.allclose(moves.flatten(1).norm(dim=1), torch.tensor(0.1), atol=1e-6)


def test_a_result_out_of_budget_is_an_error_and_never_a_number(model, batch, monkeypatch):
    images, labels = batch
    for bad in (
        lambda m, x, y, s, r: x + 0.1,
        lambda m, x, y, s, r: x - 0.02 * (x < 0.02),
        lambda m, x, y, s, r: x * float("nan"),
    ):
        monkeypatch.setattr(attacks, "function_of", lambda method, bad=bad: bad)
        with pytest.raises(BudgetError, match="no result was written"):
            run_attack(model, images, labels, PGD, rng())


def test_excess_measures_the_worst_image():
    images = torch.full((3, 3, 4, 4), 0.5)
    moved = images.clone()
    moved[1, 0, 0, 0] += 9 / 255
    assert excess(moved, images, PGD).item() == pytest.approx(1 / 255, abs=1e-6)
    assert excess(moved, images, dataclasses.replace(PGD, eps=9)) <= 1e-6


@pytest.mark.parametrize(("norm", "worst"), [(Norm.LINF, 1e-5), (Norm.L2, 1e-3)])
def test_only_rounding_is_tolerated(norm, worst):
    spec = dataclasses.replace(PGD, norm=norm, eps=1, step_size=0.1)
    with pytest.raises(BudgetError):
        check_excess(worst, spec)
