"""Auto-Attack through us and called directly, on a model that answers ten thousand calls soon."""

import pytest
import torch

from rst_core.vocabulary import AttackMethod
from tests.crosschecks import both_ways
from tests.crosschecks.subjects import PGD100, Subject, at, small_subject

pytestmark = pytest.mark.crosscheck


@pytest.fixture(scope="module")
def subject() -> Subject:
    return small_subject()


@pytest.mark.parametrize("method", [AttackMethod.AUTO_ATTACK, AttackMethod.AUTO_ATTACK_RAND])
def test_auto_attack_is_the_official_code_on_every_image(subject, method):
    ours, theirs = both_ways.auto_attack(subject, method)
    assert len(ours) == subject.few
    assert 0 < int(ours.sum()) < int(subject.natural()[: subject.few].sum()) < len(ours)
    assert torch.equal(ours, theirs)
    if method is AttackMethod.AUTO_ATTACK:
        weaker = subject.first(subject.few).survivors(at(PGD100, subject.eps))
        assert not (ours & (weaker == 0)).any(), "no image that a weaker attack fells survives"
