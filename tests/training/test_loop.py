"""The training loop: steps against formulas, schedules, selections."""

import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from rst_core.device.seeding import generator
from rst_core.measures.evaluation import attack_and_evaluate
from rst_core.settings import training_attack, validation_attack
from rst_core.training import loop
from rst_core.training.loop import step, train
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Pattern, Precision, SearchMethod, Selection
from tests.checkpoints import InMemory
from tests.conftest import BRIEF, narrow_classifier
from tests.training.runs import (
    NATURAL,
    PGD7,
    RUN,
    Remembering,
    assert_equal,
    dense,
    metrics,
    search,
)


def test_metrics_have_a_line_an_epoch_and_the_best_epoch_is_kept(few_digits):
    settings = dataclasses.replace(BRIEF, epochs=4)
    run = dataclasses.replace(RUN, settings=settings)
    trainee = dense()
    checkpoints = Remembering(trainee)
    kept = train(trainee, few_digits, run, checkpoints)
    lines = metrics(checkpoints)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["lr"] == pytest.approx(0.01)
    robust = [line["validation_robust"] for line in lines]
    assert_equal(kept[Selection.BEST_VAL], checkpoints.kept[robust.index(max(robust))])
    assert_equal(kept[Selection.LAST], checkpoints.kept[-1])
    assert "test_robust" not in lines[0]


@pytest.mark.parametrize(
    ("selection", "attack", "chosen"),
    [
        (Selection.BEST_VAL, PGD7, 2),
        (Selection.BEST_VAL, None, 4),
        (Selection.BEST_TEST, PGD7, 3),
        (Selection.BEST_TEST, None, 1),
        (Selection.LAST, PGD7, 5),
    ],
)
def test_the_first_of_the_best_epochs_is_kept_by_its_own_split_and_goal(
    few_digits, monkeypatch, selection, attack, chosen
):
    """Robust accuracy where training is adversarial, else natural; equals do not replace it."""
    told = {  # of epochs 1 to 5
        "validation_robust": [20, 30, 25, 30, 10],
        "validation_natural": [50, 40, 60, 70, 70],
        "test_robust": [20, 21, 40, 40, 22],
        "test_natural": [90, 80, 70, 60, 90],
    }

    def measure(trainee, images, of_run, split, name):
        assert images is getattr(few_digits, split)
        epoch = int(name.partition(" after epoch ")[2].split()[0])
        return {key: of[epoch - 1] for key, of in told.items() if key.startswith(split)}

    monkeypatch.setattr("rst_core.training.loop._measure", measure)
    settings = dataclasses.replace(BRIEF, epochs=5)
    run = dataclasses.replace(RUN, settings=settings, attack=attack, selections=(selection,))
    checkpoints = Remembering(dense())
    kept = train(checkpoints.trainee, few_digits, run, checkpoints)
    assert_equal(kept[selection], checkpoints.kept[chosen - 1])


def test_steps_have_the_settings_rate_momentum_and_decay(few_digits, monkeypatch):
    """What the optimiser had at each of three steps an epoch, not what a line says of it."""
    seen = []

    class Watched(torch.optim.SGD):
        def step(self, closure=None):
            (group,) = self.param_groups
            seen.append(tuple(group[key] for key in ("lr", "momentum", "weight_decay")))
            assert not group["nesterov"]
            assert group["dampening"] == 0
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "SGD", Watched)
    settings = dataclasses.replace(
        BRIEF, epochs=4, lr=0.2, decay_epochs=(1, 3), momentum=0.7, weight_decay=1e-3
    )
    run = dataclasses.replace(RUN, attack=None, settings=settings)
    train(dense(), few_digits, run)
    rates = [rate for rate, *rest in seen if rest == [0.7, 1e-3]]
    assert rates == pytest.approx([0.2] * 3 + [0.02] * 6 + [0.002] * 3)


def test_every_epoch_and_every_seed_starts_its_attacks_elsewhere(few_digits, monkeypatch):
    first_draws = []

    def attack(model, images, labels, spec, rng, share):
        first_draws.append(float(torch.rand((), generator=rng)))
        return images

    monkeypatch.setattr("rst_core.training.loop.pgd", attack)
    monkeypatch.setattr("rst_core.training.loop._measure", lambda *_: {"validation_robust": 1.0})
    for seed in (0, 1, 0):
        train(dense(), few_digits, dataclasses.replace(RUN, seed=seed))
    assert len(first_draws) == 3 * 9, "three steps in each of three epochs"
    assert first_draws[:9] == first_draws[18:]
    assert len(set(first_draws[:18])) == 18


def test_the_test_images_are_looked_at_only_for_the_papers_protocol(few_digits):
    poisoned = dataclasses.replace(few_digits, test=few_digits.test.first(0))
    train(search(), poisoned, RUN)
    run = dataclasses.replace(RUN, selections=(Selection.BEST_TEST,), identity="again")
    checkpoints = InMemory()
    kept = train(search(), few_digits, run, checkpoints)
    assert set(kept) == {Selection.BEST_TEST}
    assert "test_robust" in metrics(checkpoints)[0]


def test_epochs_are_measured_by_pgd_of_the_settings_steps_at_the_eps_of_training(
    few_digits, monkeypatch
):
    specs = []

    def watched(source, targets, images, spec):
        specs.append(spec)
        return attack_and_evaluate(source, targets, images, spec)

    monkeypatch.setattr(loop, "attack_and_evaluate", watched)
    train(
        dense(), few_digits, dataclasses.replace(RUN, attack=training_attack(SearchMethod.FGSM, 4))
    )
    assert specs == [validation_attack(4, BRIEF.validation_steps)] * BRIEF.epochs


def test_a_logit_of_minus_infinity_is_no_finite_loss(monkeypatch):
    """It leaves the cross-entropy of another class finite."""
    trainee = dense()
    weight = next(iter(trainee.variables.values()))
    logits = torch.tensor([[1.0, -torch.inf]])
    monkeypatch.setattr(loop, "functional_call", lambda *_: logits + 0 * weight.sum())
    optimiser = torch.optim.SGD([weight], lr=0.1)
    attack = (None, torch.Generator(), torch.tensor(-1.0))
    loss, _ = step(trainee, optimiser, torch.zeros(1, 3, 8, 8), torch.tensor([0]), *attack)
    assert loss.isnan()


def test_natural_training_attacks_nothing(uninterrupted):
    line = metrics(uninterrupted(dense, NATURAL)[1])[-1]
    assert "validation_robust" not in line
    assert "validation_natural" in line


@pytest.mark.parametrize("pattern", Pattern)
def test_a_step_is_the_formula_written_out_in_float64(few_digits, monkeypatch, pattern):
    """Scores as released, largest kept, PGD-7 on the masked network, straight-through, SGD."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # what steps cast logits to
    images, labels = few_digits.train.pixels[:16].double() / 255, few_digits.train.labels[:16]
    model = narrow_classifier().double()
    trainee = MaskTrainee(narrow_classifier().double(), 0.3, pattern, 0)
    trainee.variables = {
        n: s.detach().double().requires_grad_(True) for n, s in trainee.variables.items()
    }
    optimiser = torch.optim.SGD(list(trainee.variables.values()), lr=0.1, weight_decay=5e-4)
    trainee.model.train()
    start, overrun = torch.Generator().manual_seed(3), torch.tensor(-1.0, dtype=torch.float64)
    step(trainee, optimiser, images, labels, PGD7, start, overrun)

    scores, masked = {}, {}
    for name, weight in model.named_parameters():
        drawn = released_scores(weight, name, pattern).double()
        order = drawn.abs().flatten().argsort(descending=True)
        mask = torch.zeros(drawn.numel(), dtype=torch.float64)
        mask[order[: math.floor(0.3 * drawn.numel() + 0.5)]] = 1
        scores[name] = drawn
        masked[name] = (weight.detach() * mask.view(drawn.shape)).requires_grad_(True)
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(3))
    adversarial = (images + (2 * noise - 1) * (8 / 255)).clamp(0, 1)
    for _ in range(7):
        adversarial.requires_grad_(True)
        loss = F.cross_entropy(functional_call(model.train(), masked, (adversarial,)), labels)
        (gradient,) = torch.autograd.grad(loss, adversarial)
        moved = (adversarial.detach() + 2 / 255 * gradient.sign() - images).clamp(-8 / 255, 8 / 255)
        adversarial = (images + moved).clamp(0, 1)
    F.cross_entropy(functional_call(model, masked, (adversarial,)), labels).backward()
    for name, weight in model.named_parameters():
        of_scores = (masked[name].grad * weight).sum_to_size(scores[name].shape)
        gradient = of_scores * scores[name].sign() + 5e-4 * scores[name]
        found = trainee.variables[name].detach()
        assert torch.allclose(found, scores[name] - 0.1 * gradient, atol=1e-12, rtol=0), name
    for one, other in zip(trainee.model.buffers(), model.buffers(), strict=True):
        assert torch.allclose(one.double(), other.double(), atol=1e-12)


def released_scores(weight: torch.Tensor, name: str, pattern: Pattern) -> torch.Tensor:
    """By torch's own initialisation: Kaiming uniform of the scores' fan, channels from N(0, 1)."""
    shapes = {Pattern.ROW: 3, Pattern.KERNEL: 2, Pattern.CHANNEL: 1}
    kept = shapes.get(pattern, 4) if weight.dim() == 4 else 4
    shape = [size if axis < kept else 1 for axis, size in enumerate(weight.shape)]
    rng, scores = generator("scores", 0, name), torch.empty(shape)
    if pattern is Pattern.CHANNEL and weight.dim() == 4:
        return nn.init.normal_(scores, generator=rng)
    return nn.init.kaiming_uniform_(scores, a=math.sqrt(5), generator=rng)


def test_masks_are_computed_once_a_step(few_digits, monkeypatch):
    calls = []
    original = MaskTrainee.weights
    monkeypatch.setattr(MaskTrainee, "weights", lambda self: calls.append(1) or original(self))
    trainee = search()
    optimiser = torch.optim.SGD(list(trainee.variables.values()), lr=0.1)
    images, labels = few_digits.train.pixels[:8] / 255, few_digits.train.labels[:8]
    step(trainee, optimiser, images, labels, PGD7, torch.Generator(), torch.tensor(-1.0))
    assert len(calls) == 1


def test_weights_cast_once_give_the_attack_of_weights_cast_at_every_step(few_digits, monkeypatch):
    images, labels = few_digits.train.pixels[:16] / 255, few_digits.train.labels[:16]

    def scores_after_a_step() -> dict[str, torch.Tensor]:
        trainee = search()
        optimiser = torch.optim.SGD(list(trainee.variables.values()), lr=0.1)
        trainee.model.train()
        rng = torch.Generator().manual_seed(3)
        with torch.autocast("cpu", torch.bfloat16):
            step(trainee, optimiser, images, labels, PGD7, rng, torch.tensor(-1.0))
        return {name: v.detach() for name, v in trainee.variables.items()}

    cast_once = scores_after_a_step()
    monkeypatch.setattr("rst_core.training.loop._constant", lambda weight: weight.detach())
    assert_equal(cast_once, scores_after_a_step())


def test_attacks_that_measure_are_in_float32_whatever_the_search_is_in(few_digits):
    trainee = search()
    seen: set[tuple[bool, torch.dtype]] = set()
    trainee.model.network.blocks[0].conv1.register_forward_hook(
        lambda module, inputs, output: seen.add((module.training, output.dtype))
    )
    half = dataclasses.replace(BRIEF, epochs=1, decay_epochs=(), precision=Precision.BFLOAT16)
    train(trainee, few_digits, dataclasses.replace(RUN, settings=half))
    assert seen == {(True, torch.bfloat16), (False, torch.float32)}


def test_an_epochs_loss_and_accuracy_are_means_over_its_steps(few_digits, monkeypatch):
    told = []

    def made_up(*_):
        told.append(len(told) + 1.0)
        return torch.tensor([told[-1], told[-1] / 100])

    monkeypatch.setattr(loop, "step", made_up)
    run = dataclasses.replace(
        NATURAL, settings=dataclasses.replace(BRIEF, epochs=1, decay_epochs=())
    )
    checkpoints = Remembering(dense())
    train(checkpoints.trainee, few_digits, run, checkpoints)
    (line,) = metrics(checkpoints)
    assert len(told) > 1
    assert line["train_loss"] == pytest.approx(sum(told) / len(told))
    assert line["train_accuracy"] == pytest.approx(sum(told) / len(told))
