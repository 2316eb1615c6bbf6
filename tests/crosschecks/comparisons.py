"""What is asserted of a trained model, whichever it is."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.crosschecks import both_ways
from tests.crosschecks.subjects import PGD20, Subject, at, order


class Comparisons:
    """Subclasses have a class-scoped fixture ``subject``, and say when it is good enough."""

    #: Natural accuracy that the subject exceeds; chance is 0.1.
    natural: float

    @pytest.fixture(scope="class")
    @classmethod
    def ours(cls, subject) -> float:
        return both_ways.our_pgd20(subject)

    def test_the_subject_is_worth_attacking(self, subject: Subject, ours):
        assert len(subject.images) >= 500
        natural = 100 * float(subject.natural().mean())
        assert natural > 100 * self.natural
        assert 10 < ours < natural - 5, "where all or none falls nothing is compared"

    @pytest.mark.parametrize("library", both_ways.PGD20_OF)
    def test_pgd20_is_a_librarys(self, subject, ours, library):
        assert ours == pytest.approx(both_ways.library_pgd20(subject, library), abs=0.5)

    @pytest.mark.parametrize("attack", [both_ways.cw_inf, both_ways.cw_l2])
    def test_cw_is_advertorch_on_every_image(self, subject, attack):
        ours, theirs = attack(subject.first(subject.chain))
        assert torch.equal(ours, theirs)

    def test_a_stronger_attack_leaves_fewer_images(self, subject):
        """One point of slack: the attacks are random, and FGSM may be lucky on an image."""
        chain = order(subject)
        rates = [100 * float(outcomes.mean()) for outcomes in chain.values()]
        assert list(chain) == ["natural", "FGSM", "PGD-20", "PGD-100, 5 restarts"]
        for weaker, stronger in itertools.pairwise(rates):
            assert weaker >= stronger - 1

    def test_a_larger_ball_leaves_fewer_images(self, subject):
        some = subject.first(subject.chain)
        rates = [100 * float(some.survivors(at(PGD20, eps)).mean()) for eps in (8.0, 12.0, 16.0)]
        assert rates[0] >= rates[1] >= rates[2]
        assert rates[0] > rates[2] + 1
