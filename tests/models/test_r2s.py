"""R2S's module: drawn by call or image, differentiable, shared by threads, saved and loaded."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

import rst_core
from rst_core.attacks.gradient import input_gradient
from rst_core.device.compat import import_autoattack, import_torchvision
from rst_core.identity import TrainingCell
from rst_core.key import Inputs
from rst_core.models.files import batch_norm_statistics, load_model
from rst_core.models.networks import prunable_weights
from rst_core.models.r2s import RandomSwitch, adversary_view, load_random_switch
from rst_core.settings import AttackSpec
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import AttackMethod, Combination, Norm, Origin, Pattern, Selection
from tests.conftest import NETWORK, narrow_classifier, rst, save_trainee, unsearched

EXAMPLE = "digits/resnet18_eighth/signed_kaiming_constant-seed0"
KEPT = ("0.05", "0.2", "0.5")
EPS = 8 / 255
#: APGD on the members' mean loss: what libraries estimate by drawing.
EXACT = AttackSpec(
    name="exact", method=AttackMethod.APGD, norm=Norm.LINF, eps=8, steps=20, restarts=2,
    combine=Combination.LOSSES,
)  # fmt: skip


def switch_by(switch: str = "image", seed: int | None = 0, order: tuple[str, ...] = KEPT):
    folder = rst_core.api._EXAMPLES
    name = EXAMPLE + "/rst-keep{}-element-pgd7-eps8/best_val/ticket.pt"
    files = [folder / name.format(keep) for keep in order]
    return rst_core.load_random_switch(files, switch=switch, seed=seed)


@pytest.fixture(scope="module")
def judged():
    return rst_core.load_test_images("digits", 60)


def gradient(model, images, labels, calls: int = 1):
    images = images.clone().requires_grad_()
    loss = sum(F.cross_entropy(model(images), labels) for _ in range(calls))
    return torch.autograd.grad(loss, images)[0]


def each_gradient(images, labels):
    name = EXAMPLE + "/rst-keep{}-element-pgd7-eps8"
    tickets = [rst_core.load(name.format(keep)) for keep in KEPT]
    return torch.stack([gradient(ticket, images, labels) for ticket in tickets])


def test_gradients_are_those_of_the_drawn_tickets(judged):
    """Also of a sum of calls, whose gradients the drawn tickets' add up to."""
    images, labels = judged[0][:8], judged[1][:8]
    each = each_gradient(images, labels)
    by_image = gradient(switch_by("image"), images, labels)
    nearest = (each - by_image).abs().amax((2, 3, 4)).amin(0)
    assert nearest.max() < 1e-6
    drawn = torch.randint(3, (6, 1), generator=torch.Generator().manual_seed(5)).squeeze(1)
    summed = gradient(switch_by("call", seed=5), images, labels, calls=6)
    assert torch.allclose(summed, each[drawn].sum(0), atol=1e-5)


def test_threads_share_one_module(judged):
    switch, images = switch_by(), judged[0]
    with torch.no_grad():
        truth = [switch.tickets[ticket](images) for ticket in range(3)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda i: switch.tickets[i % 3](images), range(300)))
            answers = list(pool.map(lambda _: switch(images), range(40)))
    assert all(torch.equal(logits, truth[i % 3]) for i, logits in enumerate(found))
    nearest = [torch.stack([(a - t).abs().amax(1) for t in truth]).amin(0).max() for a in answers]
    assert max(nearest) < 1e-4


def test_its_state_is_complete_and_of_its_tickets_only(judged, tmp_path):
    switch, images = switch_by(), judged[0]
    state = switch.state_dict()
    for kind, count in (("mask", 3), ("running_mean", 3), ("weight", 1)):
        of_first = sum(n.startswith("tickets.0.") and n.endswith(f".{kind}") for n in state)
        assert sum(n.endswith(f".{kind}") for n in state) == count * of_first > 0
    save_file(state, tmp_path / "r2s.safetensors")

    changed = switch_by()
    with torch.no_grad():
        for value in (*changed.parameters(), *changed.buffers()):
            if value.is_floating_point():
                value.mul_(2)
    changed.load_state_dict(load_file(tmp_path / "r2s.safetensors"))
    for ticket in range(3):
        assert torch.equal(changed.tickets[ticket](images), switch.tickets[ticket](images))


@pytest.mark.parametrize("order", [("0.5", "0.2", "0.05"), ("0.2", "0.5")])
def test_a_state_of_other_tickets_changes_nothing(order):
    other = switch_by(order=order)
    before = copy.deepcopy(other.state_dict())
    without_masks = {n: v for n, v in before.items() if not n.endswith(".mask")}
    for state in (switch_by().state_dict(), without_masks):
        with pytest.raises(ValueError, match=r"not of these [23] tickets"):
            other.load_state_dict(state)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_it_is_copied_pickled_moved_and_always_evaluates(judged):
    switch, images = switch_by(), judged[0]
    twin, stored = copy.deepcopy(switch), pickle.loads(pickle.dumps(switch))
    expected = switch.train()(images)
    assert torch.equal(twin(images), expected)
    assert torch.equal(stored(images), expected)
    assert len(list(switch.parameters())) == len(list(switch.tickets[0].parameters()))
    assert switch_by().double()(images.double()).dtype == torch.float64
    exported = torch.export.export(switch.tickets[1], (images,)).module()
    assert torch.allclose(exported(images), switch.tickets[1](images), atol=1e-6)


def _torchattacks(switch, images, labels):
    import_torchvision()  # which torchattacks imports as it is
    import torchattacks

    return torchattacks.EOTPGD(switch, eps=EPS, alpha=2 / 255, steps=10, eot_iter=5)(images, labels)


def _foolbox(switch, images, labels):
    import foolbox

    model = foolbox.PyTorchModel(switch, bounds=(0, 1))
    attack = foolbox.attacks.LinfPGD(steps=20, abs_stepsize=2 / 255)
    return attack(model, images, labels, epsilons=EPS)[1]


def _auto_attack_rand(switch, images, labels):
    official = import_autoattack().AutoAttack(switch, eps=EPS, version="rand", seed=0)
    official.apgd.n_iter, official.apgd.eot_iter, official.verbose = 20, 5, False
    return official.run_standard_evaluation(images, labels)[0]


LIBRARIES = {
    "torchattacks EOTPGD": _torchattacks,
    "foolbox LinfPGD": _foolbox,
    "Auto-Attack rand": _auto_attack_rand,
}


@pytest.fixture(scope="module")
def exact(judged):
    """What the attack on the expectation itself leaves, however tickets are drawn."""
    return rst_core.evaluate(switch_by(), judged, EXACT).robust


@pytest.mark.crosscheck
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("drawn", ["image", "call"])
def test_attack_libraries_attack_it_end_to_end(judged, exact, library, drawn):
    """They lower its exact expected accuracy, and no further than the attack on that itself."""
    torch.manual_seed(0)
    switch = switch_by(drawn)
    found = rst_core.evaluate(switch, judged, lambda *at: LIBRARIES[library](switch, *at))
    print(f"{library}, by {drawn}: {found.natural:.1f} to {found.robust:.1f} ({exact:.1f})")
    assert exact - 2 <= found.robust <= found.natural - 1


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


@pytest.fixture
def saved(tmp_path):
    return [save_trainee(tmp_path, t, unsearched(t)) for t in map(rst, (0.1, 0.3, 0.6))]


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


def test_a_switch_needs_tickets_over_one_set_of_weights(saved, tmp_path):
    other = dataclasses.replace(rst(0.2), network=dataclasses.replace(NETWORK, seed=7))
    with pytest.raises(ValueError, match="lies over other weights"):
        load_random_switch([saved[0], save_trainee(tmp_path, other, unsearched(other))])
    with pytest.raises(ValueError, match="at least two tickets"):
        load_random_switch(saved[:1])
    with pytest.raises(ValueError, match="allowed is 'call' or 'image'"):
        RandomSwitch(narrow_classifier(), [{}, {}], [torch.ones(1)] * 2, switch="never")


def test_a_switch_needs_tickets_over_one_training_of_their_dense(tmp_path):
    paths = []
    for keep_ratio, digest in ((0.2, "1"), (0.5, "2")):
        ticket = dataclasses.replace(rst(keep_ratio), origin=Origin.RTT_ADVERSARIAL)
        base = TrainingCell(ticket.dense, Selection.BEST_VAL).path
        inputs = Inputs(bases={base: digest * 64}, keys={base: None})
        paths.append(save_trainee(tmp_path, ticket, unsearched(ticket), inputs=inputs))
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
