"""CW-L2 and Auto-Attack: what our adapters to their implementations add."""

from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch

from rst_core.attacks import run_attack
from rst_core.attacks.reference import draw_seed, isolated
from rst_core.vocabulary import AttackMethod
from tests.attacks.attack_examples import EXAMPLES, linear, rng
from tests.attacks.tiny import few_images


def test_auto_attack_refuses_a_model_with_too_few_classes():
    model, _, images, labels = linear()
    with pytest.raises(ValueError, match="2 classes; auto_attack needs at least 10"):
        run_attack(model, images, labels, EXAMPLES[AttackMethod.AUTO_ATTACK], rng())


def test_an_isolated_model_gives_the_same_logits_and_image_gradients():
    model, images, _ = few_images()
    model.requires_grad_(True)
    one, other = (images.clone().requires_grad_(True) for _ in range(2))
    direct = model(one)
    direct.pow(2).sum().backward()
    model.zero_grad()
    for _ in range(2):  # FAB asks for gradients of one pass several times
        other.grad = None
        through = isolated(model)(other)
        through.pow(2).sum().backward()
    assert torch.equal(direct, through)
    assert torch.allclose(one.grad, other.grad, atol=1e-6)
    assert all(p.grad is None for p in model.parameters())


def test_cw_l2_returns_the_clean_image_where_it_finds_nothing():
    model, images, labels = few_images()
    spec = EXAMPLES[AttackMethod.CW_L2]
    adversarial = run_attack(model, images, labels, spec, rng())
    with torch.no_grad():
        misclassified = model(adversarial).argmax(1) != labels
    assert misclassified[2:].any()
    moved = (adversarial - images).flatten(1).norm(dim=1) > 0
    assert not moved[~misclassified].any()
    assert not moved[:2].any(), "nothing to look for where the image is misclassified"
    assert moved[misclassified][2:].all()


def test_a_seed_for_a_library_is_the_generators_next_number():
    assert draw_seed(rng(1)) == draw_seed(rng(1)) != draw_seed(rng(2))


class TheAuthors:
    """The interface of the authors' repository: other names for parameters, a tensor comes back."""

    seeds: ClassVar[list[int]] = []

    def __init__(self, model, norm, eps, seed, verbose=True, version="standard", device="cuda"):
        self.quiet, self.eps = not verbose, eps
        self.seeds.append(seed)

    def run_standard_evaluation(self, x_orig, y_orig, bs=250):
        assert self.quiet
        assert bs == len(x_orig)
        return (x_orig + self.eps).clamp(0, 1)


def test_auto_attack_of_the_authors_own_repository_is_called_as_it_wants(monkeypatch):
    repository = SimpleNamespace(AutoAttack=TheAuthors)
    monkeypatch.setattr("rst_core.attacks.reference.import_autoattack", lambda: repository)
    images, labels = torch.full((3, 3, 8, 8), 0.5), torch.zeros(3, dtype=torch.long)
    spec = EXAMPLES[AttackMethod.AUTO_ATTACK]
    for seed in (1, 2):
        found = run_attack(lambda x: torch.ones(len(x), 10), images, labels, spec, rng(seed))
        assert torch.allclose(found, images + spec.eps / 255)
    assert TheAuthors.seeds == [draw_seed(rng(1)), draw_seed(rng(2))]
