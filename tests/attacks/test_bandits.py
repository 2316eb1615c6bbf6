"""Bandits: queries that are counted, a step of the prior, no gradient."""

import pytest
import torch
from torch.nn import functional as F

from rst_core.attacks import run_attack, run_counting
from rst_core.attacks.bandits import bandits, learn
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod
from tests.attacks.attack_examples import EXAMPLES, linear, rng
from tests.attacks.tiny import few_images


def test_misclassified_images_cost_no_more_queries_and_correct_ones_cost_all():
    model, _, images, labels = linear()
    labels[:5] = 1 - labels[:5]
    spec = AttackSpec(**{**vars(EXAMPLES[AttackMethod.BANDITS]), "eps": 3.0, "steps": 100})
    adversarial, queries = run_counting(model, images, labels, spec, rng())
    survived = model(adversarial).argmax(1) == labels
    assert (queries[:5] == 0).all()
    assert (queries[survived] == 200).all()
    assert 0 < queries[5:][~survived[5:]].float().mean() < 120
    assert (queries % 2 == 0).all()


def test_dropping_misclassified_images_changes_no_outcome_of_bandits():
    """An image that shares its batch with misclassified ones fares as among correct ones."""
    model, _, images, labels = linear()
    spec = AttackSpec(**{**vars(EXAMPLES[AttackMethod.BANDITS]), "eps": 1.0, "steps": 60})
    with_misclassified = labels.clone()
    with_misclassified[::2] = 1 - with_misclassified[::2]
    kept, _ = bandits(model, images, labels, spec, rng(9))
    dropped, _ = bandits(model, images, with_misclassified, spec, rng(9))
    assert torch.allclose(kept[1::2], dropped[1::2], atol=1e-6)


@pytest.mark.parametrize(
    "change", [{}, {"exploration": 0.5}, {"probe": 0.3, "learning_rate": 500.0}]
)
def test_a_step_of_the_prior_is_that_of_the_authors_code(change):
    """bandits-td, written out: two queries, a finite difference, exponentiated gradient."""
    model, images, labels = few_images()
    spec = AttackSpec(**{**vars(EXAMPLES[AttackMethod.BANDITS]), "learning_rate": 300.0, **change})
    dual, noise = (torch.randn(10, 3, 4, 4, generator=rng(s)) for s in (3, 4))
    with torch.no_grad():
        found, _ = learn(model, images, labels, dual, noise, spec)
        prior = dual.tanh()
        move = spec.exploration * noise / (3 * 4 * 4) ** 0.5
        losses = []
        for side in (prior + move, prior - move):
            wide = side.repeat_interleave(2, 2).repeat_interleave(2, 3)
            query = images + spec.probe * wide / wide.flatten(1).norm(dim=1)[:, None, None, None]
            losses.append(F.cross_entropy(model(query), labels, reduction="none"))
    slope = (losses[0] - losses[1]) / (spec.probe * spec.exploration)
    gain = spec.learning_rate * slope[:, None, None, None] * move
    up, down = (1 + prior) / 2 * gain.exp(), (1 - prior) / 2 * (-gain).exp()
    assert torch.allclose(found.tanh(), 2 * up / (up + down) - 1, atol=1e-3)
    assert (found.tanh() - prior).abs().max() > 0.05


def test_bandits_never_asks_for_a_gradient():
    def model(images):
        assert not torch.is_grad_enabled()
        return base(images)

    base, _, images, labels = linear()
    run_attack(model, images, labels, EXAMPLES[AttackMethod.BANDITS], rng())


def test_more_tiles_than_pixels_are_refused():
    model, _, images, labels = linear()
    spec = AttackSpec(**{**vars(EXAMPLES[AttackMethod.BANDITS]), "tiles": 16})
    with pytest.raises(ValueError, match="tiles is 16; allowed is at most 4"):
        run_attack(model, images, labels, spec, rng())
