"""The symptoms of a failed attack, in one model and between cells."""

import dataclasses
import json

import pytest
import torch

from rst_core.data.images import Images
from rst_core.identity import CandidateSet, Evaluation, TrainingCell, TransferRow, parse_cell
from rst_core.measures.suspicion import IMAGES, LARGE, measure_checks
from rst_core.vocabulary import AttackMethod, Origin, Pattern, Selection
from tests.attacks.attack_examples import EXAMPLES, linear
from tests.conftest import NETWORK, PGD7, attack_cell, save_trainee, unsearched

CLEAN = {
    "images": 100,
    "zero_gradient": 0,
    "rerun_difference": 0.0,
    "probabilities": False,
    "correct_at_64": 0.0,
}


@pytest.fixture
def example():
    """The linear model, which any ball of 64 fells, and 150 of its images."""
    model, _, images, labels = linear()
    pixels = (images[:150] * 255).round().to(torch.uint8)
    return model, Images(pixels, labels[:150])


def test_an_honest_model_shows_no_symptom(example):
    model, images = example
    assert dataclasses.asdict(measure_checks(model, images, 0)) == CLEAN
    assert IMAGES == 100


def test_saturated_outputs_have_no_gradient_and_stand_at_64(example):
    model, images = example
    steep = lambda x: 1e9 * model(x)  # noqa: E731
    found = measure_checks(steep, images, 0)
    assert found.zero_gradient > 90
    assert found.correct_at_64 > 20, "what its random start does not fell"


def test_a_random_switch_gives_itself_away(example):
    model, images = example
    rng = torch.Generator().manual_seed(0)

    def switch(x):
        return model(x) + torch.randn(len(x), 2, generator=rng)

    assert measure_checks(switch, images, 0).rerun_difference > 0.1


def test_probabilities_are_told_from_logits(example):
    model, images = example
    assert measure_checks(lambda x: model(x).softmax(1), images, 0).probabilities
    assert not measure_checks(lambda x: model(x).abs(), images, 0).probabilities
    assert not measure_checks(lambda x: model(x).log_softmax(1), images, 0).probabilities


def test_the_view_of_a_candidate_set_is_checked_too(example):
    model, images = example
    blind = lambda x: (model(x).detach() + 0 * model(x)) * 1e9  # noqa: E731
    both = lambda x: torch.stack([model(x), blind(x)])  # noqa: E731
    found = measure_checks(both, images, 0)
    assert found.zero_gradient == 0, "one member's gradient is enough to walk along"
    assert found.correct_at_64 == 0
    only_blind = measure_checks(lambda x: torch.stack([blind(x)] * 2), images, 0)
    assert only_blind.zero_gradient == 100
    assert only_blind.correct_at_64 > 40


SET = CandidateSet(NETWORK, Origin.RST, (0.1, 0.6), Pattern.ELEMENT, PGD7)
APGD = dataclasses.replace(EXAMPLES[AttackMethod.APGD], images=20, steps=3, restarts=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Cells' folder with the two tickets of ``SET``, of seeds 0 and 1; never searched."""
    folder = tmp_path_factory.mktemp("cells")
    for candidates in (SET, dataclasses.replace(SET, network=dataclasses.replace(NETWORK, seed=1))):
        for ticket in candidates.tickets:
            save_trainee(folder, ticket, unsearched(ticket))
    return folder


def test_the_cell_of_a_candidate_set_has_checks_and_every_members_outcomes(root):
    cell = Evaluation(SET, Selection.BEST_VAL, "apgd", 4)
    attack_cell(root, cell, APGD, 10)
    record = json.loads((root / cell.path).read_text())
    assert set(record["checks"]) == set(CLEAN)
    assert record["checks"]["images"] == 20
    assert [r["model"] for r in record["results"]] == [t.path for t in SET.tickets]
    assert record["settings"]["attack"]["combine"] == "probabilities"


def test_a_candidate_sets_row_attacks_its_own_members_and_evaluates_another_seeds(root):
    row = TransferRow(SET, Selection.BEST_VAL, "other_seeds", "apgd", 4)
    other = dataclasses.replace(SET, network=dataclasses.replace(NETWORK, seed=1))
    targets = [TrainingCell(t, Selection.BEST_VAL) for t in (*SET.tickets, *other.tickets)]
    attack_cell(root, row, APGD, 10, targets)
    record = json.loads((root / row.path).read_text())
    assert parse_cell(record["cell"]) == row
    assert [r["model"] for r in record["results"]] == [target.model.path for target in targets]
    assert record["checks"]["images"] == 20
    cell = Evaluation(SET, Selection.BEST_VAL, "apgd", 4)
    attack_cell(root, cell, APGD, 10)
    white_box = json.loads((root / cell.path).read_text())["results"]
    assert record["results"][:2] == white_box, "the same attack on the same members"


def test_an_attack_on_a_set_is_refused_for_one_model_and_the_other_way_round(root):
    ticket = SET.tickets[0]
    with pytest.raises(ValueError, match="apgd attacks a candidate set, not digits"):
        attack_cell(root, Evaluation(ticket, Selection.BEST_VAL, "apgd", 4), APGD, 10)
    pgd = EXAMPLES[AttackMethod.PGD]
    with pytest.raises(ValueError, match="pgd attacks one model"):
        attack_cell(root, Evaluation(SET, Selection.BEST_VAL, "pgd", 4), pgd, 10)


def test_a_gradient_is_zero_if_it_is_so_everywhere(example):
    model, images = example

    def half(x):
        return model(torch.cat([x[:, :, :1].detach(), x[:, :, 1:]], 2))

    assert measure_checks(half, images, 0).zero_gradient == 0


def test_one_image_whose_outputs_change_is_enough(example):
    model, images = example
    calls = []

    def moody(x):
        calls.append(len(x))
        outputs = model(x)
        return torch.cat([outputs[:1] * len(calls), outputs[1:]])

    assert measure_checks(moody, images, 0).rerun_difference == pytest.approx(1)


def test_of_several_models_the_mean_stands_at_64(example):
    model, images = example
    right = 1e6 * torch.nn.functional.one_hot(images.labels[:100], 2)
    both = lambda x: torch.stack([model(x), right[: len(x)] + 0 * model(x)])  # noqa: E731
    assert measure_checks(both, images, 0).correct_at_64 == 50


def test_twenty_steps_cross_the_large_ball():
    assert (LARGE.eps, LARGE.steps) == (64, 20)
    assert LARGE.steps * LARGE.step_size >= 2 * LARGE.eps
