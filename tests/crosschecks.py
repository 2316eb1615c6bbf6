"""What the cross-checks measure: used by the tests and by the table in docs/attacks.md."""

from __future__ import annotations

import dataclasses
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from rst_core.attacks import run_attack
from rst_core.attacks.budget import image_units
from rst_core.attacks.reference import draw_seed
from rst_core.compat import import_advertorch, import_advertorch_losses, import_autoattack
from rst_core.data import Splits, load_splits
from rst_core.networks import build_classifier, draw_weights
from rst_core.seeding import generator
from rst_core.settings import (
    AttackSpec,
    DatasetSettings,
    NetworkSettings,
    TrainingSettings,
    training_attack,
)
from rst_core.trainee import WeightTrainee
from rst_core.training import Run, train
from rst_core.vocabulary import (
    Architecture,
    AttackMethod,
    Init,
    Norm,
    SearchMethod,
    Selection,
    Source,
)
from tests.conftest import DIGITS, narrow_classifier
from tests.test_attacks import linear

#: Robust accuracies are means over these, so that the comparison is of attacks, not of starts.
SEEDS = (0, 1, 2)

#: Size of the specs below, in 1/255; :func:`at` gives them a subject's own.
EPS = 16.0
PGD20 = AttackSpec(
    name="pgd20",
    method=AttackMethod.PGD,
    norm=Norm.LINF,
    eps=EPS,
    steps=20,
    step_size=EPS / 4,
    random_start=True,
)
FGSM = dataclasses.replace(PGD20, name="fgsm", steps=1, step_size=EPS, random_start=False)
PGD100 = dataclasses.replace(PGD20, name="pgd100", steps=100, restarts=5)
AUTO_ATTACK = AttackSpec(
    name="auto_attack", method=AttackMethod.AUTO_ATTACK, norm=Norm.LINF, eps=EPS
)
CW_INF = AttackSpec(
    name="cw_inf",
    method=AttackMethod.CW_INF,
    norm=Norm.LINF,
    eps=EPS,
    steps=100,
    step_size=2.55,
    random_start=True,
)
CW_L2 = AttackSpec(
    name="cw_l2",
    method=AttackMethod.CW_L2,
    norm=Norm.L2,
    steps=100,
    learning_rate=0.01,
    search_steps=1,
    constant=0.1,
)

#: Real images beside a checkout, never part of it: 5,170 to train and 1,017 to test.
ARCHIVE = "cifar10_lossless_6k.tar.xz"
CIFAR = DatasetSettings(
    source=Source.FOLDER,
    classes=10,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2471, 0.2435, 0.2616),
    validation_images=100,
)
QUARTER = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=0.25)


def at(spec: AttackSpec, eps: float) -> AttackSpec:
    """``spec`` at another size, its steps in proportion."""
    assert spec.eps
    return dataclasses.replace(spec, eps=eps, step_size=spec.step_size * eps / spec.eps)


def rng(seed: int = 0) -> torch.Generator:
    return generator("cross-check", seed)


@dataclass
class Subject:
    """A trained model and the images it is attacked on, contiguous.

    Attributes:
        eps: radius of its cross-checks, in 1/255.
        chain: images on which attacks are put in order.
        few: images on which Auto-Attack is compared.
    """

    name: str
    model: nn.Module
    images: Tensor
    labels: Tensor
    eps: float
    chain: int
    few: int

    def first(self, count: int) -> Subject:
        return dataclasses.replace(self, images=self.images[:count], labels=self.labels[:count])

    def rows(self, at: Tensor) -> Subject:
        return dataclasses.replace(self, images=self.images[at], labels=self.labels[at])

    @torch.no_grad()
    def judge(self, images: Tensor) -> Tensor:
        """Which images are classified correctly, N booleans."""
        return self.model(images).argmax(1) == self.labels

    def natural(self) -> Tensor:
        return self.judge(self.images).float()

    def survivors(self, spec: AttackSpec, seed: int = 0) -> Tensor:
        """Which images survive our attack, N zeros and ones."""
        found = run_attack(self.model, self.images, self.labels, spec, rng(seed))
        return self.judge(found).float()


def _trained(
    trainee: WeightTrainee,
    splits: Splits,
    dataset: DatasetSettings,
    attack: AttackSpec,
    settings: TrainingSettings,
) -> nn.Module:
    """The trainee's network after training, its weights frozen."""
    with TemporaryDirectory() as folder:
        run = Run(
            identity="cross-check",
            attack=attack,
            settings=settings,
            dataset=dataset,
            selections=(Selection.LAST,),
            seed=0,
            checkpoint=Path(folder) / "state.pt",
            metrics=Path(folder) / "metrics.jsonl",
        )
        train(trainee, splits, run)
    model = trainee.model.eval()
    for name, weight in trainee.weights().items():
        model.get_parameter(name).data.copy_(weight.detach())
    return model.requires_grad_(False)


def digits_subject() -> Subject:
    """A narrow PreActResNet-18 trained by PGD-7 on digits, and all test and validation images.

    Digits of 8 x 8 pixels are easy: at eps 16 a fifth of those that are classified correctly
    falls to PGD-20.
    """
    splits = load_splits(DIGITS)
    settings = TrainingSettings(
        epochs=14, batch_size=64, lr=0.1, decay_epochs=(10, 12), validation_steps=1
    )
    attack = training_attack(SearchMethod.PGD7, 8.0)
    model = _trained(WeightTrainee(narrow_classifier()), splits, DIGITS, attack, settings)
    parts = [next(iter(s.evaluation_batches(1000))) for s in (splits.test, splits.validation)]
    images = torch.cat([x for _, x, _ in parts]).contiguous()
    labels = torch.cat([y for _, _, y in parts])
    return Subject("digits", model, images, labels, eps=16.0, chain=len(images), few=60)


def cifar_subject(archive: Path) -> Subject:
    """A PreActResNet-18 of quarter width trained briefly by FGSM-RS on real CIFAR-10 images.

    Args:
        archive: where :data:`ARCHIVE` lies.
    """
    with TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        dataset = dataclasses.replace(CIFAR, path=str(next(Path(folder).glob("**/train")).parent))
        splits = load_splits(dataset)
    model = build_classifier(QUARTER, CIFAR.classes, CIFAR.mean, CIFAR.std)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    settings = TrainingSettings(
        epochs=2, batch_size=64, lr=0.03, decay_epochs=(1,), validation_steps=1
    )
    attack = training_attack(SearchMethod.FGSM_RS, 4.0)
    model = _trained(WeightTrainee(model), splits, dataset, attack, settings)
    # A folder's images come class by class; the first few shall be of all.
    mixed = torch.randperm(len(splits.test), generator=rng())[:500]
    _, images, labels = next(iter(splits.test.select(mixed).evaluation_batches(500)))
    return Subject("CIFAR-10", model, images.contiguous(), labels, eps=8.0, chain=100, few=20)


def _advertorch_pgd(subject: Subject, seed: int) -> Tensor:
    torch.manual_seed(seed)
    attack = import_advertorch().LinfPGDAttack(
        subject.model, eps=subject.eps / 255, nb_iter=20, eps_iter=subject.eps / 4 / 255
    )
    return attack.perturb(subject.images, subject.labels)


def _torchattacks_pgd(subject: Subject, seed: int) -> Tensor:
    import torchattacks

    torch.manual_seed(seed)
    # It asks the model's parameters for the device.
    eps = subject.eps / 255
    attack = torchattacks.PGD(subject.model, eps=eps, alpha=eps / 4, steps=20)
    return attack(subject.images, subject.labels)


_PGD20: dict[str, Callable[[Subject, int], Tensor]] = {
    "advertorch": _advertorch_pgd,
    "torchattacks": _torchattacks_pgd,
}


def mean_over_seeds(subject: Subject, library: str) -> tuple[float, float]:
    """Robust accuracy (%) under our PGD-20 and a library's, each the mean over seeds."""
    ours = [subject.survivors(at(PGD20, subject.eps), seed).mean() for seed in SEEDS]
    theirs = [subject.judge(_PGD20[library](subject, s)).float().mean() for s in SEEDS]
    return 100 * float(torch.stack(ours).mean()), 100 * float(torch.stack(theirs).mean())


def _ours(subject: Subject, spec: AttackSpec) -> Tensor:
    found = run_attack(subject.model, subject.images, subject.labels, spec, rng())
    return subject.judge(found)


def _correct_only(subject: Subject) -> tuple[Subject, Tensor]:
    """What our adapters hand to AdverTorch, and where it lies."""
    at_start = subject.judge(subject.images).nonzero().squeeze(1)
    return subject.rows(at_start), at_start


def cw_inf_both_ways(subject: Subject) -> tuple[Tensor, Tensor]:
    """Outcomes of CW-Inf through us, and of AdverTorch's code called directly."""
    few, where = _correct_only(subject)
    torch.manual_seed(draw_seed(rng()))
    attack = import_advertorch().LinfPGDAttack(
        few.model,
        loss_fn=import_advertorch_losses().CWLoss(),
        eps=subject.eps / 255,
        nb_iter=100,
        eps_iter=0.01,
    )
    theirs = torch.zeros(len(subject.labels), dtype=torch.bool)
    theirs[where] = few.judge(attack.perturb(few.images, few.labels))
    return _ours(subject, dataclasses.replace(CW_INF, eps=subject.eps)), theirs


def cw_l2_both_ways(subject: Subject) -> tuple[Tensor, Tensor]:
    """Outcomes of CW-L2 through us, and of AdverTorch's code called directly."""
    few, where = _correct_only(subject)
    attack = import_advertorch().CarliniWagnerL2Attack(
        few.model,
        10,
        learning_rate=0.01,
        binary_search_steps=1,
        max_iterations=100,
        initial_const=0.1,
    )
    theirs = torch.zeros(len(subject.labels), dtype=torch.bool)
    theirs[where] = few.judge(attack.perturb(few.images, few.labels))
    return _ours(subject, CW_L2), theirs


def auto_attack_both_ways(subject: Subject) -> tuple[Tensor, Tensor]:
    """Outcomes of Auto-Attack on the first images through us, and called directly."""
    few = subject.first(subject.few)
    attack = import_autoattack().AutoAttack(
        few.model, norm="Linf", eps=subject.eps / 255, seed=draw_seed(rng()), version="standard"
    )
    attack.verbose = False
    with torch.random.fork_rng([]):
        found = attack.run_standard_evaluation(few.images, few.labels, batch_size=subject.few)
    return _ours(few, at(AUTO_ATTACK, subject.eps)), few.judge(found[0])


def order(subject: Subject) -> dict[str, Tensor]:
    """Outcomes on the subject's chain of images, from the weakest attack to the strongest."""
    some = subject.first(subject.chain)
    return {"natural": some.natural()} | {
        name: some.survivors(at(spec, subject.eps))
        for name, spec in (("FGSM", FGSM), ("PGD-20", PGD20), ("PGD-100, 5 restarts", PGD100))
    }


# -- the linear model --------------------------------------------------------------------


def exact_linear(eps: float, norm: Norm) -> Tensor:
    """Which images of the linear model survive any attack of that size, N booleans."""
    _, direction, images, _ = linear()
    margin = ((images.flatten(1) - 0.5) @ direction).abs()
    dual = 1 if norm is Norm.LINF else 2
    return margin > image_units(eps, norm) * direction.norm(p=dual)


def linear_survivors(spec: AttackSpec) -> Tensor:
    """Which images of the linear model survive our attack, N booleans."""
    model, _, images, labels = linear()
    found = run_attack(model, images, labels, spec, rng())
    return model(found).argmax(1) == labels


def linear_spec(method: AttackMethod, norm: Norm, eps: float) -> AttackSpec:
    """An iterated gradient attack that surely reaches the ball's far side."""
    return AttackSpec(
        name=method.value,
        method=method,
        norm=norm,
        eps=eps,
        steps=40,
        step_size=eps / 4,
        random_start=True,
    )


def bandits_spec(eps: float, queries: int) -> AttackSpec:
    """The paper's Bandits; the linear model's images have 4 x 4 pixels, each a tile."""
    return AttackSpec(
        name="bandits",
        method=AttackMethod.BANDITS,
        norm=Norm.LINF,
        eps=eps,
        steps=queries // 2,
        step_size=2.55,
        learning_rate=100.0,
        probe=0.1,
        exploration=1.0,
        tiles=4,
    )
