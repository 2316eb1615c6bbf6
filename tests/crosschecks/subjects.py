"""The trained models that attacks are compared on, and the attacks' settings."""

from __future__ import annotations

import dataclasses
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

import rst_core
from rst_core.attacks import run_attack
from rst_core.data.sources import load_splits
from rst_core.device.seeding import generator
from rst_core.settings import AttackSpec, TrainingSettings, training_attack, validation_attack
from rst_core.training.loop import Run, train
from rst_core.training.trainee import WeightTrainee
from rst_core.vocabulary import AttackMethod, Norm, SearchMethod, Selection
from tests.conftest import DIGITS, narrow_classifier

#: Size of the specs below, in 1/255; :func:`at` gives them a subject's own.
EPS = 16.0
PGD20 = validation_attack(EPS, 20)
FGSM = dataclasses.replace(PGD20, name="fgsm", steps=1, step_size=EPS, random_start=False)
PGD100 = dataclasses.replace(PGD20, name="pgd100", steps=100, restarts=5)
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
#: Searched on their training images; a fifth of the weights of a network of width 1/8.
TICKET = "cifar10_6k/resnet18_eighth/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"


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
        chain: images on which attacks are put in order, and CW is compared.
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


def digits_subject() -> Subject:
    """A narrow PreActResNet-18 trained by PGD-7 on digits, and all test and validation images.

    Digits of 8 x 8 pixels are easy: at eps 16 a fifth of those that are classified correctly
    falls to PGD-20.
    """
    splits = load_splits(DIGITS)
    run = Run(
        identity="cross-check",
        attack=training_attack(SearchMethod.PGD7, 8.0),
        settings=TrainingSettings(
            epochs=14, batch_size=64, lr=0.1, decay_epochs=(10, 12), validation_steps=1
        ),
        dataset=DIGITS,
        selections=(Selection.LAST,),
        seed=0,
    )
    trainee = WeightTrainee(narrow_classifier())
    train(trainee, splits, run)
    model = trainee.model.eval()
    for name, weight in trainee.weights().items():
        model.get_parameter(name).data.copy_(weight.detach())
    model.requires_grad_(False)
    parts = [next(iter(s.evaluation_batches(1000))) for s in (splits.test, splits.validation)]
    images = torch.cat([x for _, x, _ in parts]).contiguous()
    labels = torch.cat([y for _, _, y in parts])
    return Subject("digits", model, images, labels, eps=16.0, chain=200, few=100)


def cifar_subject(archive: Path) -> Subject:
    """The ticket of examples/ that was searched on real CIFAR-10 images, and 500 test images.

    Nothing is trained, and only the archive's test images are read.

    Args:
        archive: where :data:`ARCHIVE` lies.
    """
    with TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            test = [member for member in tar if member.name.startswith("test/")]
            tar.extractall(folder, members=test, filter="data")
        images, labels = rst_core.load_test_images(folder)
    # A folder's images come class by class; the first few shall be of all.
    mixed = torch.randperm(len(images), generator=rng())[:500]
    model = rst_core.load(TICKET)
    return Subject("CIFAR-10", model, images[mixed], labels[mixed], eps=8.0, chain=100, few=20)


def small_subject() -> Subject:
    """One convolution, trained naturally on digits."""
    splits = load_splits(DIGITS)
    _, images, labels = next(splits.train.evaluation_batches(2000))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    _, images, labels = next(splits.test.evaluation_batches(30))
    model = model.requires_grad_(False).eval()
    return Subject("small", model, images.contiguous(), labels, eps=12.0, chain=30, few=30)


def order(subject: Subject) -> dict[str, Tensor]:
    """Outcomes on the subject's chain of images, from the weakest attack to the strongest."""
    some = subject.first(subject.chain)
    return {"natural": some.natural()} | {
        name: some.survivors(at(spec, subject.eps))
        for name, spec in (("FGSM", FGSM), ("PGD-20", PGD20), ("PGD-100, 5 restarts", PGD100))
    }
