"""The attacks on trained models: one on digits, and a ticket on real CIFAR-10 images.

The latter lie beside the checkout, or are skipped.
"""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.conftest import SHARED_DATA
from tests.crosschecks import both_ways
from tests.crosschecks.subjects import (
    ARCHIVE,
    PGD20,
    Subject,
    at,
    cifar_subject,
    digits_subject,
    order,
)

pytestmark = pytest.mark.crosscheck

#: Natural accuracy that a subject exceeds; chance is 0.1.
NATURAL = {"digits": 0.8, "CIFAR-10": 0.2}


@pytest.fixture(scope="module", params=NATURAL)
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "digits":
        return digits_subject()
    archive = SHARED_DATA / ARCHIVE
    if not archive.is_file():
        pytest.skip(f"no real CIFAR-10 images beside this checkout ({archive.name})")
    return cifar_subject(archive)


@pytest.fixture(scope="module")
def ours(subject: Subject) -> float:
    return both_ways.our_pgd20(subject)


def test_the_subject_is_worth_attacking(subject: Subject, ours):
    assert len(subject.images) >= 500
    natural = 100 * float(subject.natural().mean())
    assert natural > 100 * NATURAL[subject.name]
    assert 10 < ours < natural - 5, "where all or none falls nothing is compared"


@pytest.mark.parametrize("library", both_ways.PGD20_OF)
def test_pgd20_is_a_librarys(subject, ours, library):
    assert ours == pytest.approx(both_ways.library_pgd20(subject, library), abs=0.5)


@pytest.mark.parametrize("attack", [both_ways.cw_inf, both_ways.cw_l2])
def test_cw_is_advertorch_on_every_image(subject, attack):
    ours, theirs = attack(subject.first(subject.chain))
    assert torch.equal(ours, theirs)


def test_a_stronger_attack_leaves_fewer_images(subject):
    """One point of slack: the attacks are random, and FGSM may be lucky on an image."""
    chain = order(subject)
    rates = [100 * float(outcomes.mean()) for outcomes in chain.values()]
    assert list(chain) == ["natural", "FGSM", "PGD-20", "PGD-100, 5 restarts"]
    for weaker, stronger in itertools.pairwise(rates):
        assert weaker >= stronger - 1


def test_a_larger_ball_leaves_fewer_images(subject):
    some = subject.first(subject.chain)
    rates = [100 * float(some.survivors(at(PGD20, eps)).mean()) for eps in (8.0, 12.0, 16.0)]
    assert rates[0] >= rates[1] >= rates[2]
    assert rates[0] > rates[2] + 1
