"""Evaluation, transfer, R2S and feature distance on tiny models."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from rst_core.attacks import run_attack
from rst_core.attacks.gradient import input_gradient
from rst_core.data.images import Images
from rst_core.identity import FeatureDistance, TrainingCell, Untrained
from rst_core.job.cells import make
from rst_core.job.recipe import FeaturesRecipe
from rst_core.key import MadeOf
from rst_core.measures.evaluation import attack_and_judge, natural_outcomes
from rst_core.measures.expected import expected_accuracy
from rst_core.measures.features import estimate_batch_norm, feature_distances, last_convolution
from rst_core.models.files import Head, batch_norm_statistics, load_model, model_path, save_model
from rst_core.models.masks import top_k_mask
from rst_core.models.networks import prunable_weights
from rst_core.models.r2s import RandomSwitch, adversary_view, load_random_switch
from rst_core.records import read_cell
from rst_core.settings import validation_attack
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import AttackMethod, Origin, Pattern, Selection
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import DIGITS, NARROW, NETWORK, manifest, narrow_classifier, rst

PGD = validation_attack(8, 4)


@pytest.fixture(scope="module")
def tickets():
    models = []
    for keep_ratio in (0.3, 0.6, 0.9):
        trainee = MaskTrainee(narrow_classifier(), keep_ratio, Pattern.ELEMENT, 0)
        model = narrow_classifier()
        with torch.no_grad():
            for name, weight in prunable_weights(model).items():
                weight.mul_(top_k_mask(trainee.variables[name], keep_ratio))
        models.append(model.requires_grad_(False).eval())
    return models


def outcomes(source, judges, images, **options):
    return attack_and_judge(source, judges, images, PGD, **options).outcomes


def test_one_job_for_many_targets_is_many_jobs_for_one_target(tickets, few_digits):
    """The row of the source itself is its white-box number."""
    judges = dict(enumerate(tickets))
    together = outcomes(tickets[0], judges, few_digits.test, batch_size=25)
    for name, ticket in judges.items():
        alone = outcomes(tickets[0], {"only": ticket}, few_digits.test, batch_size=25)["only"]
        assert torch.equal(together[name], alone)


def test_no_image_survives_an_attack_that_did_not_survive_none(tickets, few_digits):
    natural = natural_outcomes(tickets[0], few_digits.test, batch_size=7)
    robust = outcomes(tickets[0], {"self": tickets[0]}, few_digits.test)["self"]
    assert len(natural) == len(robust) == 60
    assert not (robust & ~natural).any()
    assert torch.equal(natural, natural_outcomes(tickets[0], few_digits.test, batch_size=60))


def test_eot_averages_gradients_and_ensemble_averages_logits(tickets, few_digits):
    images, labels = few_digits.test.pixels[:6] / 255, few_digits.test.labels[:6]
    eot = adversary_view(tickets, AttackMethod.EOT)
    _, _, gradient = input_gradient(eot, images, labels)
    single = [input_gradient(t, images, labels)[2] for t in tickets]
    assert torch.allclose(gradient, torch.stack(single).mean(0), atol=1e-6)
    ensemble = adversary_view(tickets, AttackMethod.ENSEMBLE)
    assert torch.allclose(ensemble(images), torch.stack([t(images) for t in tickets]).mean(0))
    with pytest.raises(ValueError, match="use eot, ensemble, apgd"):
        adversary_view(tickets, AttackMethod.PGD)


@pytest.mark.parametrize("restarts", [1, 3])
def test_eot_stops_at_images_that_every_member_misclassifies(tickets, few_digits, restarts):
    images, labels = few_digits.test.pixels / 255, few_digits.test.labels
    eot = adversary_view(tickets, AttackMethod.EOT)
    spec = dataclasses.replace(EXAMPLES[AttackMethod.EOT], restarts=restarts)
    through = dataclasses.replace(spec, stop_at_success=False)
    standing, found = [], []
    for one in (spec, through):
        found.append(run_attack(eot, images, labels, one, torch.Generator().manual_seed(0)))
        standing.append((eot(found[-1]).argmax(-1) == labels).any(0))
    assert 0 < standing[0].sum() < len(labels)
    assert not (standing[0] & ~standing[1]).any(), "stopping saves no image"
    if restarts == 1:
        assert torch.equal(found[0][standing[0]], found[1][standing[0]])


def test_r2s_is_the_mean_of_its_matrix_and_needs_all_of_it():
    assert expected_accuracy(np.array([[40.0, 60.0], [70.0, 50.0]])) == 55.0
    for bad in (np.ones((2, 3)), np.array([[1.0, np.nan], [1.0, 1.0]])):
        with pytest.raises(ValueError, match="complete square matrix"):
            expected_accuracy(bad)


def starts_of_batches(seed, name="pgd4"):
    """Where PGD starts on six equal images in batches of two: all have fallen, so it ends there."""
    images = Images(
        torch.full((6, 3, 4, 4), 128, dtype=torch.uint8), torch.ones(6, dtype=torch.int64)
    )
    found = []

    def judge(x):
        found.append(x - 128 / 255)
        return torch.tensor([1.0, 0.0]).expand(len(x), 2)

    def model(x):
        return torch.stack([x.flatten(1).sum(1), -x.flatten(1).sum(1)], 1)

    spec = dataclasses.replace(PGD, name=name, seed=seed)
    attack_and_judge(model, {"judge": judge}, images, spec, batch_size=2)
    return torch.cat(found)


def test_every_image_of_every_batch_and_seed_and_attack_has_a_start_of_its_own():
    starts = torch.cat([starts_of_batches(0), starts_of_batches(1), starts_of_batches(0, "other")])
    assert torch.equal(starts[:6], starts_of_batches(0))
    assert len({tuple(start.flatten().tolist()) for start in starts}) == 18
    apart = (starts[:, None] - starts[None]).abs().flatten(2).mean(2)
    apart += torch.eye(18)
    assert apart.min() > 4 / 255, "independent starts are two thirds of eps apart on average"


@pytest.fixture
def saved(tmp_path):
    return [save_ticket(tmp_path, rst(keep_ratio)) for keep_ratio in (0.1, 0.3, 0.6)]


def test_the_switch_answers_as_one_of_its_tickets(saved, few_digits):
    images = few_digits.test.pixels[:30] / 255
    each = torch.stack([load_model(path)(images) for path in saved])
    for ticket in range(3):
        switch = load_random_switch(saved, seed=0)
        assert torch.allclose(switch.tickets[ticket](images), each[ticket], atol=1e-5)
    whole = load_random_switch(saved, switch="call", seed=1)
    used = {_which(whole(images), each) for _ in range(12)}
    assert used == {(0,) * 30, (1,) * 30, (2,) * 30}
    by_image = load_random_switch(saved, switch="image", seed=1)
    drawn = _which(by_image(images), each)
    assert set(drawn) == {0, 1, 2}
    assert drawn != _which(by_image(images), each)


def _which(logits, each):
    distance = (each - logits).abs().amax(-1)
    assert distance.amin(0).max() < 1e-4, "an answer is none of the tickets'"
    return tuple(distance.argmin(0).tolist())


def test_the_switch_is_seeded_and_takes_an_empty_batch(saved):
    images = torch.rand(20, 3, 8, 8)
    one, again = (load_random_switch(saved, seed=4)(images) for _ in range(2))
    assert torch.equal(one, again)
    assert load_random_switch(saved)(images[:0]).shape == (0, 10)


def save_ticket(root, ticket, **options):
    """A ticket that was never searched."""
    path, seed = model_path(root, ticket, Selection.BEST_VAL), ticket.network.seed
    trainee = MaskTrainee(narrow_classifier(seed=seed), ticket.keep_ratio, ticket.pattern, 0)
    save_model(path, ticket, NARROW, Head.of(DIGITS), trainee.contents(), {}, **options)
    return path


def test_a_switch_needs_tickets_over_one_set_of_weights(saved, tmp_path):
    other = dataclasses.replace(rst(0.2), network=dataclasses.replace(NETWORK, seed=7))
    with pytest.raises(ValueError, match="lies over other weights"):
        load_random_switch([saved[0], save_ticket(tmp_path, other)])
    with pytest.raises(ValueError, match="at least two tickets"):
        load_random_switch(saved[:1])
    with pytest.raises(ValueError, match="allowed is 'call' or 'image'"):
        RandomSwitch(narrow_classifier(), [{}, {}], [torch.ones(1)] * 2, switch="never")


def test_a_switch_needs_tickets_over_one_training_of_their_dense(tmp_path):
    paths = []
    for keep_ratio, digest in ((0.2, "1"), (0.5, "2")):
        ticket = dataclasses.replace(rst(keep_ratio), origin=Origin.RTT_ADVERSARIAL)
        base = TrainingCell(ticket.dense, Selection.BEST_VAL).path
        made_of = MadeOf(bases={base: digest * 64}, keys={base: None})
        paths.append(save_ticket(tmp_path, ticket, made_of=made_of))
    with pytest.raises(ValueError, match="lies over other weights"):
        load_random_switch(paths)


def test_a_tickets_mask_costs_the_papers_three_percent():
    """One bit a weight is 1/32 = 3.1 % of float32 weights; compression only lowers it [6.2]."""
    model = narrow_classifier()
    masks, statistics = [], []
    for keep_ratio in (0.05, 0.5):
        trainee = MaskTrainee(narrow_classifier(), keep_ratio, Pattern.ELEMENT, 0)
        masks.append(trainee.masks())
        statistics.append(batch_norm_statistics(trainee.model))
    overhead = RandomSwitch(model, masks, statistics).overhead()
    assert overhead["weights"] == 4 * sum(w.numel() for w in prunable_weights(model).values())
    assert 0.01 < overhead["masks_a_ticket"] < 0.033


def test_feature_distance_is_zero_without_noise_and_grows_with_it(tickets, few_digits):
    found = feature_distances(tickets[0], few_digits.test, (0.0, 2.0, 8.0, 32.0), seed=0)
    means = [found[eps].mean().item() for eps in (0.0, 2.0, 8.0, 32.0)]
    assert means[0] == 0
    assert means == sorted(means)
    assert means[-1] > 2 * means[1]
    again = feature_distances(tickets[0], few_digits.test, (8.0,), seed=0)
    assert torch.equal(found[8.0], again[8.0])
    assert not tickets[0].network._forward_hooks
    assert not last_convolution(tickets[0])._forward_hooks


def test_the_noise_is_uniform_on_both_sides_and_moves_features_by_its_share():
    """Of features that are the image itself, it is |noise| / |image|; no walls of the box [5.2]."""
    images = Images(torch.full((300, 3, 6, 6), 2, dtype=torch.uint8), torch.zeros(300).long())
    model = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))
    model[0].weight.data = torch.eye(3)[:, :, None, None]
    seen = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    found = feature_distances(model, images, (4.0, 16.0), seed=3, batch_size=150)
    for eps, at in ((4.0, 1), (16.0, 2)):
        noise = torch.cat([seen[at] - seen[0], seen[at + 3] - seen[3]])
        ranks = torch.linspace(0, 1, noise.numel())
        shares = (noise.flatten().sort().values / (eps / 255) + 1) / 2
        assert (shares - ranks).abs().max() < 0.02
        expected = noise.flatten(1).norm(dim=1) / (2 / 255 * 108**0.5)
        assert torch.allclose(found[eps], expected, rtol=1e-4)
    first, second = seen[1] - seen[0], seen[4] - seen[3]
    assert (first - second).abs().mean() > 1 / 255, "every batch has noise of its own"
    again = feature_distances(model, images, (4.0,), seed=4, batch_size=150)
    assert not torch.equal(again[4.0], found[4.0])


def test_an_untrained_networks_norms_are_of_the_training_images(tmp_path, digits):
    """Its cell has the distances of a network whose statistics are averages over their batches."""
    cell = FeatureDistance(Untrained(NETWORK), None)
    make(FeaturesRecipe(tmp_path, manifest(), cell, NARROW, (8.0,)))
    (found,) = read_cell(tmp_path / cell.path)["results"]
    model = narrow_classifier()
    estimate_batch_norm(model, digits.train)
    (distance,) = feature_distances(model, digits.test, (8.0,), seed=0).values()
    assert found["mean"] == pytest.approx(distance.mean().item(), rel=1e-5)
    assert found["deviation"] == pytest.approx(distance.std().item(), rel=1e-4)
    normalise = model.network.blocks[0].bn1
    shown = [
        model.network.conv1((x - 0.3) / 0.37) for _, x, _ in digits.train.evaluation_batches(500)
    ]
    means = torch.stack([x.mean((0, 2, 3)) for x in shown])
    assert torch.allclose(normalise.running_mean, means.mean(0), atol=1e-5)


def test_the_last_convolution_is_no_shortcut(tickets):
    names = {module: name for name, module in tickets[0].named_modules()}
    assert names[last_convolution(tickets[0])] == "network.blocks.7.conv2"
