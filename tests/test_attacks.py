"""What every attack promises, for every method; and an evaluation that resumes.

The model is tiny, because Auto-Attack calls it some ten thousand times however few images
there are. The module takes 10 s on an idle core, Auto-Attack's two versions half of it.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rst_core.attacks import _ATTACKS, run_attack, run_counting
from rst_core.attacks.bandits import bandits, learn
from rst_core.attacks.reference import draw_seed, isolated
from rst_core.identity import Dense, Evaluation
from rst_core.job.places import checkpoint_path
from rst_core.measures.evaluation import attack_and_judge
from rst_core.models.files import Head, model_path, save_model
from rst_core.models.r2s import adversary_view
from rst_core.records import pack_counts, unpack_counts
from rst_core.settings import AttackSpec
from rst_core.training.trainee import WeightTrainee
from rst_core.vocabulary import AttackMethod, Selection
from tests.attacks.attack_examples import EXAMPLES
from tests.attacks.test_gradient import linear, rng
from tests.checkpoints import InMemory, Interrupted
from tests.conftest import DIGITS, NARROW, NETWORK, attack_cell, narrow_classifier

#: These take seconds each time.
SLOW = (AttackMethod.AUTO_ATTACK, AttackMethod.AUTO_ATTACK_RAND)


def tiny_models(count: int = 1):
    """Models, and random images, channels last as in evaluation; the first two misclassified."""
    models = []
    for seed in range(count):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)
        )
        models.append(model.eval())
    images = torch.rand(10, 3, 8, 8, generator=rng(1))
    images[2:4] = images[2:4].round()  # at the walls of the box
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        labels = torch.stack([model(images) for model in models]).mean(0).argmax(1)
    labels[:2] = (labels[:2] + 1) % 10
    return models, images, labels


def few_images():
    (model,), images, labels = tiny_models()
    return model, images, labels


def attacked(method: AttackMethod):
    """What a method attacks, the modules behind it, images and labels."""
    models, images, labels = tiny_models(3 if method.on_sets else 1)
    view = adversary_view(models, method) if method.on_sets else models[0]
    return view, nn.ModuleList(models), images, labels


def test_every_method_has_an_attack_and_an_example():
    assert set(_ATTACKS) == set(AttackMethod) == set(EXAMPLES)


@pytest.mark.parametrize("method", AttackMethod)
def test_budget_determinism_and_models_left_as_they_were_found(method):
    view, models, images, labels = attacked(method)
    parameters = dict(models.named_parameters())
    for parameter in parameters.values():
        parameter.grad = torch.ones_like(parameter)
    before = {n: v.clone() for n, v in models.state_dict().items()}
    spec, clean = EXAMPLES[method], images.clone()
    torch.manual_seed(5)
    state = torch.get_rng_state()

    adversarial = run_attack(view, images, labels, spec, rng(3))

    assert torch.equal(torch.get_rng_state(), state), "the global generator is not an attack's"
    assert adversarial.shape == images.shape
    assert not adversarial.requires_grad
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    if spec.eps is not None:
        assert (adversarial - images).abs().max() <= spec.eps / 255 + 1e-6
    assert torch.equal(images, clean)
    assert images.grad is None
    assert not any(module.training for module in models)
    for name, value in models.state_dict().items():
        assert torch.equal(value, before[name]), name
    for name, parameter in parameters.items():
        assert parameter.requires_grad
        assert torch.equal(parameter.grad, torch.ones_like(parameter)), name
    with torch.no_grad():
        found, began = (
            (view(x).argmax(-1) == labels).reshape(-1, len(x)).sum(0) for x in (adversarial, images)
        )
    if not method.on_sets:
        assert not found[:2].any(), "what was misclassified stays misclassified"
    elif method not in (AttackMethod.EOT, AttackMethod.ENSEMBLE):
        assert (found <= began).all(), "the best of all images is kept, the clean one too"
    if method not in SLOW:
        assert torch.equal(adversarial, run_attack(view, images, labels, spec, rng(3)))
    if method not in (*SLOW, AttackMethod.CW_L2):
        assert not torch.equal(adversarial, run_attack(view, images, labels, spec, rng(4)))
    assert run_attack(view, images[:0], labels[:0], spec, rng()).shape == (0, 3, 8, 8)


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
        fell = model(adversarial).argmax(1) != labels
    assert fell[2:].any()
    moved = (adversarial - images).flatten(1).norm(dim=1) > 0
    assert not moved[~fell].any()
    assert not moved[:2].any(), "nothing to look for where the image is misclassified"
    assert moved[fell][2:].all()


# -- Bandits -----------------------------------------------------------------------------


def test_fallen_images_cost_no_more_queries_and_standing_ones_cost_all():
    model, _, images, labels = linear()
    labels[:5] = 1 - labels[:5]
    spec = AttackSpec(**{**vars(EXAMPLES[AttackMethod.BANDITS]), "eps": 3.0, "steps": 100})
    adversarial, queries = run_counting(model, images, labels, spec, rng())
    survived = model(adversarial).argmax(1) == labels
    assert (queries[:5] == 0).all()
    assert (queries[survived] == 200).all()
    assert 0 < queries[5:][~survived[5:]].float().mean() < 120
    assert (queries % 2 == 0).all()


def test_dropping_fallen_images_changes_no_outcome_of_bandits():
    """An image that shares its batch with fallen ones gets what it gets among standing ones."""
    model, _, images, labels = linear()
    spec = AttackSpec(**{**vars(EXAMPLES[AttackMethod.BANDITS]), "eps": 1.0, "steps": 60})
    with_fallen = labels.clone()
    with_fallen[::2] = 1 - with_fallen[::2]
    kept, _ = bandits(model, images, labels, spec, rng(9))
    dropped, _ = bandits(model, images, with_fallen, spec, rng(9))
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


# -- resuming ----------------------------------------------------------------------------


def evaluation(images, spec, checkpoints):
    """One evaluation in three batches."""
    model = narrow_classifier().eval()
    judges = {"self": model, "other": narrow_classifier(seed=1).eval()}
    return attack_and_judge(model, judges, images, spec, batch_size=20, checkpoints=checkpoints)


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


@pytest.fixture
def dense(tmp_path):
    """A stored dense, and the folder of all cells."""
    root = tmp_path / "cells"
    model = Dense(NETWORK, None)
    contents = WeightTrainee(narrow_classifier()).contents()
    path = model_path(root, model, Selection.BEST_VAL)
    save_model(path, model, NARROW, Head.of(DIGITS), contents, {})
    return root, model


@pytest.mark.parametrize("method", [AttackMethod.CW_L2, AttackMethod.BANDITS])
def test_the_cell_of_an_attack_keeps_what_it_found(dense, method):
    root, model = dense
    spec = AttackSpec(**{**vars(EXAMPLES[method]), "images": 30})
    cell = Evaluation(model, Selection.BEST_VAL, spec.name, spec.eps)
    attack_cell(root, cell, spec, 20)
    record = json.loads((root / cell.path).read_text())
    assert (root / cell.path).name == {"cw_l2": "cw_l2.json", "bandits": "bandits-eps4.json"}[
        method
    ]
    for measure in ("natural", "robust"):
        assert record["results"][0][measure]["total"] == 30
    assert record["settings"]["attack"]["method"] == method
    assert record["settings"]["attack"]["images"] == 30
    if method is AttackMethod.BANDITS:
        counts = unpack_counts(record["queries"])
        assert len(counts) == 30
        assert counts.max() <= 2 * spec.steps
    else:
        assert "queries" not in record
    assert not checkpoint_path(root, cell).exists()


def test_packed_counts_come_back_and_damage_is_noticed():
    counts = np.array([0, 10_000, 2], dtype=np.int64)
    packed = pack_counts(counts)
    assert (unpack_counts(packed) == counts).all()
    with pytest.raises(ValueError, match="counts add up to 10002"):
        unpack_counts({**packed, "sum": 1})


def test_a_seed_for_a_library_is_the_generators_next_number():
    assert draw_seed(rng(1)) == draw_seed(rng(1)) != draw_seed(rng(2))


class TheAuthors:
    """The interface of the authors' repository: other names for parameters, a tensor comes back."""

    def __init__(self, model, norm, eps, seed, verbose=True, version="standard", device="cuda"):
        self.quiet, self.eps = not verbose, eps

    def run_standard_evaluation(self, x_orig, y_orig, bs=250):
        assert self.quiet
        assert bs == len(x_orig)
        return (x_orig + self.eps).clamp(0, 1)


def test_auto_attack_of_the_authors_own_repository_is_called_as_it_wants(monkeypatch):
    repository = SimpleNamespace(AutoAttack=TheAuthors)
    monkeypatch.setattr("rst_core.attacks.reference.import_autoattack", lambda: repository)
    images, labels = torch.full((3, 3, 8, 8), 0.5), torch.zeros(3, dtype=torch.long)
    spec = EXAMPLES[AttackMethod.AUTO_ATTACK]
    found = run_attack(lambda x: torch.ones(len(x), 10), images, labels, spec, torch.Generator())
    assert torch.allclose(found, images + spec.eps / 255)
