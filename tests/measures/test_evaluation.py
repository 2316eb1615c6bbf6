"""Which images survive: white-box, transferred, and resumed."""

import dataclasses

import pytest
import torch

from rst_core.attacks import run_counting
from rst_core.data.images import Images
from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.settings import validation_attack
from rst_core.vocabulary import AttackMethod
from tests.attacks.attack_examples import EXAMPLES
from tests.checkpoints import InMemory, Interrupted
from tests.conftest import narrow_classifier

PGD = validation_attack(8, 4)


def outcomes(source, targets, images, **options):
    return attack_and_evaluate(source, targets, images, PGD, **options).outcomes


def test_one_job_for_many_targets_is_many_jobs_for_one_target(tickets, few_digits):
    """The row of the source itself is its white-box number."""
    targets = dict(enumerate(tickets))
    together = outcomes(tickets[0], targets, few_digits.test, batch_size=25)
    for name, ticket in targets.items():
        alone = outcomes(tickets[0], {"only": ticket}, few_digits.test, batch_size=25)["only"]
        assert torch.equal(together[name], alone)


def test_no_image_survives_an_attack_that_did_not_survive_none(tickets, few_digits):
    natural = natural_outcomes(tickets[0], few_digits.test, batch_size=7)
    robust = outcomes(tickets[0], {"self": tickets[0]}, few_digits.test)["self"]
    assert len(natural) == len(robust) == 60
    assert not (robust & ~natural).any()
    assert torch.equal(natural, natural_outcomes(tickets[0], few_digits.test, batch_size=60))


def starts_of_batches(seed, name="pgd4"):
    """Where PGD starts on six equal images in batches of two: all have fallen, so it ends there."""
    images = Images(
        torch.full((6, 3, 4, 4), 128, dtype=torch.uint8), torch.ones(6, dtype=torch.int64)
    )
    found = []

    def target(x):
        found.append(x - 128 / 255)
        return torch.tensor([1.0, 0.0]).expand(len(x), 2)

    def model(x):
        return torch.stack([x.flatten(1).sum(1), -x.flatten(1).sum(1)], 1)

    spec = dataclasses.replace(PGD, name=name, seed=seed)
    attack_and_evaluate(model, {"target": target}, images, spec, batch_size=2)
    return torch.cat(found)


def test_every_image_of_every_batch_and_seed_and_attack_has_a_start_of_its_own():
    starts = torch.cat([starts_of_batches(0), starts_of_batches(1), starts_of_batches(0, "other")])
    assert torch.equal(starts[:6], starts_of_batches(0))
    assert len({tuple(start.flatten().tolist()) for start in starts}) == 18
    apart = (starts[:, None] - starts[None]).abs().flatten(2).mean(2)
    apart += torch.eye(18)
    assert apart.min() > 4 / 255, "independent starts are two thirds of eps apart on average"


def evaluation(images, spec, checkpoints):
    """One evaluation in three batches."""
    model = narrow_classifier().eval()
    targets = {"self": model, "other": narrow_classifier(seed=1).eval()}
    return attack_and_evaluate(model, targets, images, spec, batch_size=20, checkpoints=checkpoints)


@pytest.mark.parametrize("method", [AttackMethod.PGD, AttackMethod.BANDITS])
def test_an_interrupted_evaluation_ends_with_the_same_outcomes(method, few_digits, monkeypatch):
    from rst_core.measures import evaluation as module

    attacked = []

    def counting(model, images, labels, spec, generator):
        attacked.append(len(images))
        return run_counting(model, images, labels, spec, generator)

    monkeypatch.setattr(module, "run_counting", counting)
    spec = EXAMPLES[method]
    whole = evaluation(few_digits.test, spec, InMemory())
    assert attacked == [20, 20, 20]
    interrupted = InMemory(2)
    with pytest.raises(Interrupted):
        evaluation(few_digits.test, spec, interrupted)
    assert interrupted.progress == "after 2 of 3 batches"
    attacked.clear()
    resumed = evaluation(few_digits.test, spec, InMemory(saved=interrupted.saved))
    assert attacked == [20], "finished batches are not attacked again"
    for name, outcomes in whole.outcomes.items():
        assert torch.equal(outcomes, resumed.outcomes[name])
    if method is AttackMethod.BANDITS:
        assert torch.equal(whole.queries, resumed.queries)
    else:
        assert whole.queries is None
        assert resumed.queries is None


@pytest.mark.parametrize(("side", "most"), [(32, 500), (64, 500), (224, 40), (4000, 1)])
def test_of_large_images_few_are_attacked_at_once(side, most):
    """They would not fit into a GPU's memory; nobody can change that for one dataset alone."""
    images = Images(
        torch.zeros(1, 3, side, side, dtype=torch.uint8).expand(501, -1, -1, -1),
        torch.zeros(501, dtype=torch.int64),
    )
    assert images.at_once(500) == most
    if side != 224:
        return
    seen, images = set(), images.select(torch.arange(41))

    def model(x):
        seen.add(len(x))
        return x.mean((2, 3))

    found = attack_and_evaluate(model, {"itself": model}, images, validation_attack(8, 1))
    assert len(found.outcomes["itself"]) == len(natural_outcomes(model, images)) == 41
    assert seen == {40, 1}
