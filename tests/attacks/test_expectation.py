"""Attacks on a candidate set's expected accuracy: against an exact answer, and on tickets.

Two linear members look at different pixels, so that the strongest adversary fells each of
them as if the other did not exist, and the expected accuracy is known in closed form.
"""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from rst_core.attacks import expectation, run_attack
from rst_core.attacks.expectation import adversary_score, combined_losses, margin
from rst_core.models.r2s import adversary_view
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Combination
from tests.attacks.attack_examples import EXAMPLES, rng
from tests.attacks.tiny import attacked

EPS = 3.0
AUTO = dataclasses.replace(EXAMPLES[AttackMethod.AUTO_ATTACK_EXPECTED], eps=EPS)
SQUARE = dataclasses.replace(EXAMPLES[AttackMethod.SQUARE], eps=EPS, steps=2000)


def apgd(combine: Combination, **changes: object) -> AttackSpec:
    spec = EXAMPLES[AttackMethod.APGD]
    return dataclasses.replace(spec, eps=EPS, steps=25, combine=combine, **changes)


def linear_set():
    """The set's logits (2 x N x 3), images, labels, and who survives the best attack (2 x N)."""
    # Square never puts a square of one pixel into the last row or column.
    directions = torch.randn(2, 3, 4, 4, generator=rng(0))
    looked_at = torch.zeros(2, 4, 4)
    looked_at[0, 0, :3] = looked_at[0, 1, :2] = 1
    looked_at[1, 2, :3] = looked_at[1, 1, 2] = 1
    directions = (directions * looked_at[:, None]).flatten(1)
    images = 0.5 + 0.04 * torch.randn(200, 3, 4, 4, generator=rng(1))
    scores = (images.flatten(1) - 0.5) @ directions.T
    labels = (scores.sum(1) > 0).long()
    signed = torch.where(labels[:, None] == 1, scores, -scores).T
    survive = signed > EPS / 255 * directions.norm(p=1, dim=1)[:, None]

    def members(x):
        s = ((x.flatten(1) - 0.5) @ directions.T).T
        return 20 * torch.stack([-s, s, torch.full_like(s, -2.0)], -1)

    return members, images, labels, survive


def right(members, images, labels):
    return members(images).argmax(-1) == labels


def test_the_linear_sets_images_are_of_every_sort():
    members, images, labels, survive = linear_set()
    clean = right(members, images, labels)
    assert not (survive & ~clean).any()
    for count in (0, 1, 2):
        assert (survive.sum(0) == count).sum() >= 10
    assert (clean.sum(0) == 1).sum() >= 10, "one draw would call these misclassified, or correct"


@pytest.mark.parametrize(
    "spec",
    [AUTO, *(apgd(c) for c in Combination if c is not Combination.WORST)],
    ids=lambda s: f"{s.method}-{s.combine}",
)
def test_the_expected_accuracy_is_the_exact_one(spec):
    members, images, labels, survive = linear_set()
    found = run_attack(members, images, labels, spec, rng())
    judged = right(members, found, labels)
    assert (judged.sum(0) != survive.sum(0)).sum() <= 2


def test_the_worst_candidate_is_pressed_until_all_fall():
    members, images, labels, survive = linear_set()
    found = run_attack(members, images, labels, apgd(Combination.WORST), rng())
    judged = right(members, found, labels)
    can_fall = ~survive.any(0)
    assert not judged[:, can_fall].any()


def test_square_comes_near_the_exact_answer_and_improves_with_queries():
    members, images, labels, survive = linear_set()
    rates = []
    for steps in (10, 200, SQUARE.steps):
        spec = dataclasses.replace(SQUARE, steps=steps)
        found = run_attack(members, images, labels, spec, rng())
        rates.append(float(right(members, found, labels).float().mean()))
    assert rates[0] > rates[1] > rates[2] - 1e-9
    assert rates[2] == pytest.approx(float(survive.float().mean()), abs=0.05)


@pytest.mark.parametrize(
    "spec",
    [AUTO, *(apgd(c, restarts=2) for c in Combination), dataclasses.replace(SQUARE, steps=200)],
    ids=lambda s: f"{s.method}-{s.combine}",
)
def test_of_all_images_that_are_evaluated_the_best_is_returned(spec):
    """Fewest right members come first, then the margin; what fells one member helps another.

    Evaluated are the clean images, then a start and its steps in every run: 100 for each of
    Auto-Attack's two losses. Square asks once more about what it found.
    """
    _, images, labels, _ = linear_set()
    directions, scores = torch.randn(3, 48, generator=rng(3)), []
    scale = torch.tensor([5.0, 20.0, 80.0])[:, None]

    def members(x):
        score = ((x.flatten(1) - 0.5) @ directions.T).T * scale
        always_right = F.one_hot(labels[: len(x)], 3)[None]  # no image leaves before the end
        logits = torch.stack([-score, score, torch.full_like(score, -9.0)], -1)
        logits = torch.cat([logits, always_right])
        scores.append(adversary_score(logits.detach(), labels[: len(x)])[1])
        return logits

    members(run_attack(members, images, labels, spec, rng()))
    evaluated = torch.stack([score for score in scores if len(score) == len(images)])
    assert torch.allclose(evaluated[-1], evaluated.amin(0), atol=1e-5)
    asked = {AttackMethod.SQUARE: 1 + 201 + 1, AttackMethod.APGD: 1 + 2 * 26}
    assert len(evaluated) - 1 == asked.get(spec.method, 1 + 2 * 101)


def test_what_is_maximised_is_what_the_names_say():
    logits = 3 * torch.randn(4, 6, 5, generator=rng(2))
    labels = torch.arange(6) % 5
    cross_entropy = lambda a, b: F.cross_entropy(a, b, reduction="none")  # noqa: E731

    def found(combine):
        return combined_losses(logits, labels, combine, cross_entropy)

    each = torch.stack([cross_entropy(one, labels) for one in logits])
    rows = torch.arange(6)
    assert torch.allclose(found(Combination.LOSSES), each.mean(0))
    assert torch.allclose(found(Combination.LOGITS), cross_entropy(logits.mean(0), labels))
    probabilities = logits.softmax(-1).mean(0)[rows, labels]
    assert torch.allclose(found(Combination.PROBABILITIES), -probabilities.log(), atol=1e-5)
    margins = torch.stack([one[rows, labels] for one in logits])
    wrong = logits.clone()
    wrong[:, rows, labels] = -100
    margins -= wrong.amax(-1)
    assert torch.allclose(margin(logits, labels), margins)
    assert torch.equal(found(Combination.WORST), each[margins.argmax(0), rows])
    assert not torch.equal(margins.argmax(0), each.argmin(0).new_zeros(6)), "members differ"


def test_fewer_right_members_always_beat_a_smaller_margin():
    def order(first, second):
        logits = torch.tensor([[[first, 0.0]], [[second, 0.0]]])
        return adversary_score(logits, torch.tensor([0]))

    both, one, none = order(1e-3, 1e-3), order(1e4, -1e-3), order(-1e-3, -1e-3)
    assert [int(found[0]) for found in (both, one, none)] == [2, 1, 0]
    assert both[1] > one[1] > none[1]
    assert order(1e-3, 1e-3)[1] < order(2.0, 2.0)[1] < order(80.0, 80.0)[1] < order(90.0, 90.0)[1]
    assert 0 < float(none[1]) < 1 < float(one[1]) < 2 < float(order(1e4, 1e4)[1]) < 3


@pytest.mark.parametrize("method", [AttackMethod.APGD, AttackMethod.AUTO_ATTACK_EXPECTED])
def test_images_that_are_misclassified_already_are_moved_on(method):
    """They cost the white-box number nothing, and a transferred attack needs them."""
    view, _, images, labels = attacked(method)
    found = run_attack(view, images, labels, EXAMPLES[method], rng())
    with torch.no_grad():
        (before, start), (_, end) = (adversary_score(view(x), labels) for x in (images, found))
    assert (before == 0).any()
    assert (end < start)[before == 0].all()


def test_auto_attacks_losses_need_three_classes():
    members, images, labels, _ = linear_set()
    with pytest.raises(ValueError, match="2 classes; auto_attack_expected needs at least 3"):
        run_attack(lambda x: members(x)[..., :2], images, labels, AUTO, rng())


def test_between_auto_attacks_losses_images_leave_on_which_no_member_is_right():
    members, images, labels, _ = linear_set()
    calls = []
    run_attack(lambda x: calls.append(len(x)) or members(x), images, labels, AUTO, rng())
    assert calls[1] == 200
    assert 20 <= calls[-1] < 200


def test_auto_attacks_losses_are_means_over_members(monkeypatch):
    combined, seen = expectation.combined_losses, set()

    def watched(logits, labels, combine, loss):
        seen.add(combine)
        return combined(logits, labels, combine, loss)

    monkeypatch.setattr(expectation, "combined_losses", watched)
    members, images, labels, _ = linear_set()
    run_attack(members, images, labels, AUTO, rng())
    assert seen == {Combination.LOSSES}


def test_the_first_square_is_that_of_auto_attack():
    """0.8 of the pixels: of 10 x 10 pixels a square of 9 x 9."""
    images, asked = torch.full((1, 3, 10, 10), 0.5), []

    def members(x):
        asked.append(x)
        return torch.tensor([1.0, 0.0]).expand(2, len(x), 2)

    spec = dataclasses.replace(SQUARE, steps=1)
    run_attack(members, images, torch.tensor([0]), spec, rng(2))
    _, start, moved, _ = asked
    rows = (moved != start).any(1).any(2).nonzero()[:, 1]
    assert rows.max() - rows.min() == 8


@pytest.mark.parametrize("restarts", [1, 3])
def test_eot_stops_at_images_that_every_member_misclassifies(tickets, few_digits, restarts):
    images, labels = few_digits.test.pixels / 255, few_digits.test.labels
    eot = adversary_view(tickets, AttackMethod.EOT)
    spec = dataclasses.replace(EXAMPLES[AttackMethod.EOT], restarts=restarts)
    through = dataclasses.replace(spec, stop_at_success=False)
    correct, found = [], []
    for one in (spec, through):
        found.append(run_attack(eot, images, labels, one, torch.Generator().manual_seed(0)))
        correct.append((eot(found[-1]).argmax(-1) == labels).any(0))
    assert 0 < correct[0].sum() < len(labels)
    assert not (correct[0] & ~correct[1]).any(), "stopping saves no image"
    if restarts == 1:
        assert torch.equal(found[0][correct[0]], found[1][correct[0]])
