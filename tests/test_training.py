import dataclasses
import json

import pytest
import torch

from rst_core.evaluation import attack_outcomes, natural_outcomes
from rst_core.files import save_tensors
from rst_core.masks import kept_count, top_k_mask
from rst_core.optimiser import Sgd
from rst_core.settings import AttackSpec, TrainingSettings, training_attack
from rst_core.trainee import MaskTrainee, WeightTrainee
from rst_core.training import Run, batches_of, step, train
from rst_core.vocabulary import AttackMethod, Norm, Pattern, Precision, SearchMethod, Selection
from tests.conftest import BRIEF, DIGITS, narrow_classifier

PGD7 = training_attack(SearchMethod.PGD7, 8)


@pytest.fixture
def run(tmp_path):
    return Run(
        identity="digits/narrow/test",
        attack=PGD7,
        settings=BRIEF,
        dataset=DIGITS,
        selections=(Selection.BEST_VAL, Selection.LAST),
        seed=0,
        checkpoint=tmp_path / "checkpoints" / "state.pt",
        metrics=tmp_path / "metrics.jsonl",
    )


def search(keep_ratio: float = 0.3) -> MaskTrainee:
    return MaskTrainee(narrow_classifier(), keep_ratio, Pattern.ELEMENT, 0)


def dense() -> WeightTrainee:
    return WeightTrainee(narrow_classifier())


def finetune() -> WeightTrainee:
    masks = search().masks()
    return WeightTrainee(narrow_classifier(), masks)


def assert_equal(one, other):
    """Nested contents of two model files are the same to the bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    else:
        assert one == other


class Killed(BaseException):
    pass


def without_times(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


@pytest.mark.parametrize("make", [search, dense, finetune])
def test_a_killed_run_continues_to_the_bit_identical_result(run, few_digits, make, capsys):
    whole = train(make(), few_digits, run)
    uninterrupted = without_times(run.metrics)
    for epoch in (1, 2):
        run.checkpoint.unlink()

        def kill(done, epoch=epoch):
            if done == epoch:
                raise Killed

        with pytest.raises(Killed):
            train(make(), few_digits, run, after_epoch=kill)
        resumed = train(make(), few_digits, run)
        assert f"continuing after epoch {epoch} of 3" in capsys.readouterr().err
        assert_equal(whole, resumed)
        assert without_times(run.metrics) == uninterrupted


def test_a_checkpoint_of_other_settings_is_not_continued(run, few_digits, capsys):
    def kill(done):
        raise Killed

    with pytest.raises(Killed):
        train(search(), few_digits, run, after_epoch=kill)
    other = dataclasses.replace(run, settings=dataclasses.replace(BRIEF, lr=0.05))
    train(search(), few_digits, other)
    assert "starting afresh, the checkpoint is of other settings" in capsys.readouterr().err


def test_a_checkpoint_of_another_version_is_not_continued(run, few_digits, capsys):
    save_tensors(run.checkpoint, {"key": run.key})
    train(search(), few_digits, run)
    assert "starting afresh, the checkpoint is of another version" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_said_and_started_over(run, few_digits, capsys):
    run.checkpoint.parent.mkdir(parents=True)
    run.checkpoint.write_bytes(b"half a file")
    train(search(), few_digits, run)
    assert "starting afresh, the checkpoint cannot be read" in capsys.readouterr().err


def test_data_in_another_place_is_the_same_run(run):
    moved = dataclasses.replace(run, dataset=dataclasses.replace(DIGITS, path="elsewhere"))
    assert moved.key == run.key
    assert dataclasses.replace(run, seed=1).key != run.key


def test_a_search_changes_scores_and_statistics_but_never_a_weight(run, few_digits):
    trainee = search()
    frozen = {n: w.clone() for n, w in trainee.frozen.items()}
    scores = {n: s.detach().clone() for n, s in trainee.variables.items()}
    statistics = trainee.contents()["batch_norm"]
    train(trainee, few_digits, run)
    for name, weight in trainee.frozen.items():
        assert torch.equal(weight, frozen[name])
        assert torch.equal(trainee.model.get_parameter(name), frozen[name])
        mask = top_k_mask(trainee.variables[name], 0.3)
        assert int(mask.sum()) == kept_count(mask.numel(), 0.3)
    assert any(not torch.equal(s, scores[n]) for n, s in trainee.variables.items())
    assert not torch.equal(trainee.contents()["batch_norm"], statistics)


def test_fine_tuning_never_revives_a_pruned_weight(run, few_digits):
    trainee = finetune()
    start = {n: w.detach().clone() for n, w in trainee.variables.items()}
    contents = train(trainee, few_digits, run)[Selection.LAST]
    moved = False
    for name, weight in contents["weights"].items():
        assert not weight[~trainee.masks[name]].any()
        kept = trainee.masks[name]
        moved |= not torch.equal(weight[kept], start[name][kept])
    assert moved


def test_metrics_have_a_line_an_epoch_and_the_best_epoch_is_kept(run, few_digits):
    settings = dataclasses.replace(BRIEF, epochs=4)
    run = dataclasses.replace(run, settings=settings)
    kept_at: list[dict] = []
    trainee = dense()

    def remember(done):
        kept_at.append(trainee.contents())

    kept = train(trainee, few_digits, run, after_epoch=remember)
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["lr"] == pytest.approx(0.01)
    robust = [line["validation_robust"] for line in lines]
    assert_equal(kept[Selection.BEST_VAL], kept_at[robust.index(max(robust))])
    assert_equal(kept[Selection.LAST], kept_at[-1])
    assert "test_robust" not in lines[0]


def test_the_test_images_are_looked_at_only_for_the_papers_protocol(run, few_digits):
    poisoned = dataclasses.replace(few_digits, test=few_digits.test.first(0))
    train(search(), poisoned, run)
    run = dataclasses.replace(run, selections=(Selection.BEST_TEST,), identity="again")
    kept = train(search(), few_digits, run)
    assert set(kept) == {Selection.BEST_TEST}
    assert "test_robust" in json.loads(run.metrics.read_text().splitlines()[0])


def test_natural_training_attacks_nothing(run, few_digits):
    run = dataclasses.replace(run, attack=None)
    train(dense(), few_digits, run)
    line = json.loads(run.metrics.read_text().splitlines()[-1])
    assert "validation_robust" not in line
    assert "validation_natural" in line


def test_a_step_is_that_of_plain_autograd(few_digits):
    """Against the formula written out: attack, masked forward pass, straight-through, SGD."""
    from torch.func import functional_call
    from torch.nn import functional as F

    from rst_core.attacks.gradient import pgd

    images, labels = few_digits.train.pixels[:16] / 255, few_digits.train.labels[:16]
    trainee, reference = search(), search()
    optimiser = Sgd(trainee.variables.values(), lr=0.1)
    trainee.model.train()
    step(
        trainee, optimiser, images, labels, PGD7, torch.Generator().manual_seed(3),
        torch.tensor(-1.0),
    )  # fmt: skip

    model = reference.model.train()
    masked = {
        n: (w * top_k_mask(reference.variables[n], 0.3)).requires_grad_(True)
        for n, w in reference.frozen.items()
    }
    adversarial = pgd(
        lambda x: functional_call(model, masked, (x,)),
        images, labels, PGD7, torch.Generator().manual_seed(3),
    )  # fmt: skip
    F.cross_entropy(functional_call(model, masked, (adversarial,)), labels).backward()
    for name, weight in masked.items():
        scores = reference.variables[name].detach()
        expected = scores - 0.1 * weight.grad * reference.frozen[name] * scores.sign()
        assert torch.allclose(trainee.variables[name].detach(), expected, atol=1e-6)
    for one, other in zip(trainee.model.buffers(), model.buffers(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_masks_are_computed_once_a_step(few_digits, monkeypatch):
    calls = []
    original = MaskTrainee.weights
    monkeypatch.setattr(MaskTrainee, "weights", lambda self: calls.append(1) or original(self))
    trainee = search()
    optimiser = Sgd(trainee.variables.values(), lr=0.1)
    images, labels = few_digits.train.pixels[:8] / 255, few_digits.train.labels[:8]
    step(trainee, optimiser, images, labels, PGD7, torch.Generator(), torch.tensor(-1.0))
    assert len(calls) == 1


def test_batches_are_seeded_shuffled_and_complete(run, few_digits):
    def labels(seed, epoch):
        run_of = dataclasses.replace(run, seed=seed)
        return torch.cat([y for _, y in batches_of(few_digits.train, run_of, epoch)])

    first = labels(0, 0)
    assert torch.equal(first, labels(0, 0))
    assert not torch.equal(first, labels(0, 1))
    assert not torch.equal(first, labels(1, 0))
    assert torch.equal(first.sort().values, few_digits.train.labels.sort().values)


def test_bfloat16_training_stays_near_float32(run, few_digits):
    half = dataclasses.replace(BRIEF, precision=Precision.BFLOAT16)
    train(dense(), few_digits, run)
    exact = json.loads(run.metrics.read_text().splitlines()[-1])
    train(dense(), few_digits, dataclasses.replace(run, settings=half))
    rough = json.loads(run.metrics.read_text().splitlines()[-1])
    assert rough["train_loss"] == pytest.approx(exact["train_loss"], rel=0.1)
    assert rough["train_loss"] != exact["train_loss"]


def test_weights_cast_once_give_the_attack_of_weights_cast_at_every_step(few_digits, monkeypatch):
    images, labels = few_digits.train.pixels[:16] / 255, few_digits.train.labels[:16]

    def scores_after_a_step() -> dict[str, torch.Tensor]:
        trainee = search()
        optimiser = Sgd(trainee.variables.values(), lr=0.1)
        trainee.model.train()
        rng = torch.Generator().manual_seed(3)
        with torch.autocast("cpu", torch.bfloat16):
            step(trainee, optimiser, images, labels, PGD7, rng, torch.tensor(-1.0))
        return {name: v.detach() for name, v in trainee.variables.items()}

    cast_once = scores_after_a_step()
    monkeypatch.setattr("rst_core.training._constant", lambda weight: weight.detach())
    assert_equal(cast_once, scores_after_a_step())


def test_attacks_that_measure_are_in_float32_whatever_the_search_is_in(run, few_digits):
    trainee = search()
    seen: set[tuple[bool, torch.dtype]] = set()
    trainee.model.network.blocks[0].conv1.register_forward_hook(
        lambda module, inputs, output: seen.add((module.training, output.dtype))
    )
    half = dataclasses.replace(BRIEF, epochs=1, decay_epochs=(), precision=Precision.BFLOAT16)
    train(trainee, few_digits, dataclasses.replace(run, settings=half))
    assert seen == {(True, torch.bfloat16), (False, torch.float32)}


@pytest.mark.slow
def test_a_searched_ticket_beats_a_random_mask_by_far(digits, run):
    """Learning tested as learning: real digits, robust and natural accuracy, same keep ratio."""
    from rst_core.networks import build_classifier, draw_weights
    from rst_core.settings import NetworkSettings
    from rst_core.vocabulary import Architecture, Init

    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=0.125)
    model = build_classifier(settings, DIGITS.classes, DIGITS.mean, DIGITS.std)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    trainee = MaskTrainee(model, 0.3, Pattern.ELEMENT, 0)
    pgd10 = AttackSpec(
        name="pgd10", method=AttackMethod.PGD, norm=Norm.LINF, eps=8, steps=10, step_size=2,
        random_start=True,
    )  # fmt: skip

    def accuracies():
        fixed = {n: w.detach() for n, w in trainee.weights().items()}

        def view(x):
            return torch.func.functional_call(trainee.model.eval(), fixed, (x,))

        robust = attack_outcomes(view, {"self": view}, digits.test, pgd10)["self"]
        natural = natural_outcomes(view, digits.test)
        return natural.float().mean().item(), robust.float().mean().item()

    # A random mask with batch statistics of its own: a search at a learning rate of nothing.
    still = TrainingSettings(epochs=1, batch_size=64, lr=1e-12, decay_epochs=(), weight_decay=0)
    train(trainee, digits, dataclasses.replace(run, settings=still, identity="random"))
    random_natural, random_robust = accuracies()
    learning = TrainingSettings(epochs=5, batch_size=64, decay_epochs=(4,), validation_steps=1)
    train(trainee, digits, dataclasses.replace(run, settings=learning, identity="searched"))
    natural, robust = accuracies()
    assert natural > random_natural + 0.3
    assert robust > random_robust + 0.3
    assert robust <= natural
