"""What is trained, and what must never change meanwhile."""

import dataclasses

import pytest
import torch

from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.models.masks import kept_count, top_k_mask
from rst_core.settings import TrainingSettings, validation_attack
from rst_core.training.loop import train
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Pattern, Selection
from tests.conftest import DIGITS
from tests.training.runs import RUN, finetune, search


def test_a_search_changes_scores_and_statistics_but_never_a_weight(few_digits):
    trainee = search()
    frozen = {n: w.clone() for n, w in trainee.frozen.items()}
    scores = {n: s.detach().clone() for n, s in trainee.variables.items()}
    statistics = trainee.contents()["batch_norm"]
    train(trainee, few_digits, RUN)
    for name, weight in trainee.frozen.items():
        assert torch.equal(weight, frozen[name])
        assert torch.equal(trainee.model.get_parameter(name), frozen[name])
        mask = top_k_mask(trainee.variables[name], 0.3)
        assert int(mask.sum()) == kept_count(mask.numel(), 0.3)
    assert any(not torch.equal(s, scores[n]) for n, s in trainee.variables.items())
    assert not torch.equal(trainee.contents()["batch_norm"], statistics)


def test_fine_tuning_never_revives_a_pruned_weight(few_digits):
    trainee = finetune()
    start = {n: w.detach().clone() for n, w in trainee.variables.items()}
    contents = train(trainee, few_digits, RUN)[Selection.LAST]
    moved = False
    for name, weight in contents["weights"].items():
        assert not weight[~trainee.masks[name]].any()
        kept = trainee.masks[name]
        moved |= not torch.equal(weight[kept], start[name][kept])
    assert moved


@pytest.mark.slow
def test_a_searched_ticket_beats_a_random_mask_by_far(digits):
    """Learning tested as learning: real digits, robust and natural accuracy, same keep ratio."""
    from rst_core.models.networks import build_classifier, draw_weights
    from rst_core.settings import NetworkSettings
    from rst_core.vocabulary import Architecture, Init

    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=0.125)
    model = build_classifier(settings, DIGITS.classes, DIGITS.mean, DIGITS.std)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    trainee = MaskTrainee(model, 0.3, Pattern.ELEMENT, 0)

    def accuracies():
        fixed = {n: w.detach() for n, w in trainee.weights().items()}

        def view(x):
            return torch.func.functional_call(trainee.model.eval(), fixed, (x,))

        found = attack_and_evaluate(view, {"self": view}, digits.test, validation_attack(8, 10))
        robust = found.outcomes["self"]
        natural = natural_outcomes(view, digits.test)
        return natural.float().mean().item(), robust.float().mean().item()

    # A random mask with batch statistics of its own: a search at a learning rate of nothing.
    still = TrainingSettings(epochs=1, batch_size=64, lr=1e-8, decay_epochs=(), weight_decay=0)
    train(trainee, digits, dataclasses.replace(RUN, settings=still, identity="random"))
    random_natural, random_robust = accuracies()
    learning = TrainingSettings(epochs=5, batch_size=64, decay_epochs=(4,), validation_steps=1)
    train(trainee, digits, dataclasses.replace(RUN, settings=learning, identity="searched"))
    natural, robust = accuracies()
    assert natural > random_natural + 0.3
    assert robust > random_robust + 0.3
    assert robust <= natural
