"""Our attacks against implementations that nobody here wrote, and against exact answers.

Two models adversarially trained here, on digits and, where they lie beside the checkout, on real
CIFAR-10 images; and one linear model whose robust accuracy is known in closed form.
``python -m tests.crosscheck_table`` prints what is measured.

CPU seconds, measured on a shared core, for digits and the linear model: training 22, Auto-Attack
through us and directly 31 each, PGD-100 with 5 restarts 12, CW-Inf and CW-L2 both ways 8 each,
PGD-20 against each library 4, Bandits on the linear model 7; 131 in all. For CIFAR-10, on a core
of an overloaded machine: training 76.
"""

from __future__ import annotations

import itertools

import pytest
import torch

from rst_core.attacks import run_attack
from rst_core.attacks.bandits import gradient_estimate, learn
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm
from tests import crosschecks
from tests.conftest import SHARED_DATA
from tests.crosschecks import PGD20, SEEDS, Subject
from tests.test_attacks import linear, rng

pytestmark = pytest.mark.crosscheck

ARCHIVE = SHARED_DATA / crosschecks.ARCHIVE


@pytest.fixture(scope="session", params=["digits", "cifar10"])
def subject(request) -> Subject:
    if request.param == "digits":
        return crosschecks.digits_subject()
    if not ARCHIVE.is_file():
        pytest.skip(f"no real CIFAR-10 images beside this checkout ({ARCHIVE.name})")
    return crosschecks.cifar_subject(ARCHIVE)


@pytest.fixture(scope="session")
def auto_attacked(subject) -> tuple[torch.Tensor, torch.Tensor]:
    """Outcomes of Auto-Attack on a few images, through us and called directly."""
    return crosschecks.auto_attack_both_ways(subject)


def test_the_subject_is_worth_attacking(subject):
    assert len(subject.images) >= 500
    natural = subject.natural().mean()
    robust = subject.survivors(crosschecks.at(PGD20, subject.eps)).mean()
    assert natural > (0.8 if subject.name == "digits" else 0.2), "chance is 0.1"
    assert 0.1 < robust < natural - 0.05, "where all or none falls nothing is compared"


def test_pgd20_is_advertorchs(subject):
    ours, theirs = crosschecks.mean_over_seeds(subject, "advertorch")
    assert ours == pytest.approx(theirs, abs=0.5)


def test_pgd20_is_torchattacks(subject):
    ours, theirs = crosschecks.mean_over_seeds(subject, "torchattacks")
    assert ours == pytest.approx(theirs, abs=0.5)


def test_cw_inf_is_advertorch_on_every_image(subject):
    ours, theirs = crosschecks.cw_inf_both_ways(subject.first(subject.chain))
    assert torch.equal(ours, theirs)


def test_cw_l2_is_advertorch_on_every_image(subject):
    ours, theirs = crosschecks.cw_l2_both_ways(subject.first(subject.chain))
    assert torch.equal(ours, theirs)


def test_auto_attack_is_the_official_code_on_every_image(subject, auto_attacked):
    ours, theirs = auto_attacked
    assert len(ours) == subject.few
    assert 0 < int(ours.sum()) < len(ours)
    assert torch.equal(ours, theirs)


def test_a_stronger_attack_leaves_fewer_images(subject, auto_attacked):
    """One point of slack: the attacks are random, and FGSM may be lucky on an image."""
    chain = crosschecks.order(subject)
    rates = [100 * float(outcomes.mean()) for outcomes in chain.values()]
    assert list(chain) == ["natural", "FGSM", "PGD-20", "PGD-100, 5 restarts"]
    for weaker, stronger in itertools.pairwise(rates):
        assert weaker >= stronger - 1
    few = len(auto_attacked[0])
    on_those = 100 * float(chain["PGD-100, 5 restarts"][:few].mean())
    assert on_those >= 100 * float(auto_attacked[0].float().mean()) - 1


def test_a_larger_ball_leaves_fewer_images(subject):
    some = subject.first(subject.chain)
    rates = [
        100 * float(some.survivors(crosschecks.at(PGD20, eps)).mean()) for eps in (8.0, 12.0, 16.0)
    ]
    assert rates[0] >= rates[1] >= rates[2]
    assert rates[0] > rates[2] + 1


# -- the linear model --------------------------------------------------------------------


def exact_survivors(eps: float, norm: Norm) -> torch.Tensor:
    """An image survives exactly if its margin exceeds eps times the dual norm of the weights."""
    return crosschecks.exact_linear(eps, norm)


@pytest.mark.parametrize("eps", [1.0, 3.0])
@pytest.mark.parametrize(
    ("method", "norm", "scale"),
    [
        (AttackMethod.PGD, Norm.LINF, 1.0),
        (AttackMethod.PGD, Norm.L2, 0.02),
        (AttackMethod.CW_INF, Norm.LINF, 1.0),
    ],
)
def test_a_gradient_attack_hits_the_exact_answer(method, norm, scale, eps):
    survived = crosschecks.linear_survivors(crosschecks.linear_spec(method, norm, eps * scale))
    exact = exact_survivors(eps * scale, norm)
    assert 20 < int(exact.sum()) < 380
    assert (survived != exact).sum() <= 1


@pytest.mark.parametrize("eps", [1.0, 3.0])
def test_bandits_comes_within_three_points_at_ten_thousand_queries_and_improves(eps):
    exact = 100 * float(exact_survivors(eps, Norm.LINF).float().mean())
    rates = [
        100 * float(crosschecks.linear_survivors(crosschecks.bandits_spec(eps, queries))
                    .float().mean())
        for queries in (20, 200, 10_000)
    ]  # fmt: skip
    assert rates[0] > rates[1] >= rates[2] >= exact
    assert rates[2] == pytest.approx(exact, abs=3)


def test_bandits_estimate_of_the_gradients_sign_improves_with_queries():
    """Up to a ceiling: queries along a normalised prior say little about small components."""
    model, direction, images, labels = linear()
    spec = crosschecks.bandits_spec(1.0, 2)
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


def test_more_seeds_than_one_are_compared():
    assert len(set(SEEDS)) >= 3


def test_attack_spec_of_the_linear_model_needs_no_box():
    """The exact answer holds where no wall interferes: all of the ball is inside the box."""
    _, _, images, _ = linear()
    assert images.min() > 3 / 255
    assert images.max() < 1 - 3 / 255
    spec = AttackSpec(name="n", method=AttackMethod.PGD, norm=Norm.LINF, eps=0.0)
    model, _, images, labels = linear()
    assert torch.equal(run_attack(model, images, labels, spec, rng()), images)
