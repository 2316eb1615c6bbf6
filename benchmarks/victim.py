"""A model that resists about half of its attacks, to measure attacks on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.steps import network
from rst_core.attacks import run_attack
from rst_core.attacks.gradient import LogitFunction
from rst_core.data.images import Images
from rst_core.data.sources import load_splits
from rst_core.device.seeding import generator
from rst_core.measures.evaluation import correct
from rst_core.models.networks import Classifier, prunable_weights
from rst_core.settings import AttackSpec, DatasetSettings, training_attack
from rst_core.training.loop import step
from rst_core.training.trainee import WeightTrainee
from rst_core.vocabulary import Architecture, AttackMethod, Norm, SearchMethod, Source

#: Handwritten digits at the size of CIFAR's images.
DIGITS = DatasetSettings(
    source=Source.DIGITS,
    variant="plain",
    path="",
    classes=10,
    image_size=32,
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    validation_images=200,
)


@dataclass(frozen=True)
class Victim:
    """An adversarially trained model, its test images, and the attack that halves it."""

    model: Classifier
    images: Images
    spec: AttackSpec
    robust: float


def pgd20(eps: float, *, stop_at_success: bool = True) -> AttackSpec:
    """PGD-20 as in the paper's experiments, at some eps."""
    return AttackSpec(
        name="pgd20",
        method=AttackMethod.PGD,
        norm=Norm.LINF,
        eps=eps,
        steps=20,
        step_size=eps / 4,
        random_start=True,
        restarts=1,
        stop_at_success=stop_at_success,
        seed=0,
    )


def train_victim(device: torch.device, width: float = 0.125, epochs: int = 6) -> Victim:
    """Train briefly with FGSM-RS, then find the eps at which half of the images stand."""
    splits = load_splits(DIGITS).to(device)
    model = network(Architecture.PREACT_RESNET18, width, device)
    trainee = WeightTrainee(model)
    optimiser = torch.optim.SGD(trainee.variables.values(), lr=0.05, momentum=0.9)
    inner = training_attack(SearchMethod.FGSM_RS, 8.0)
    overrun = torch.full((), -1.0, device=device)
    for epoch in range(epochs):
        rng = generator("benchmark", epoch, device=device)
        model.train()
        for images, labels in splits.train.training_batches(DIGITS, 64, 0, epoch):
            step(trainee, optimiser, images, labels, inner, rng, overrun)
    with torch.no_grad():
        for name, weight in prunable_weights(model).items():
            weight.copy_(trainee.variables[name])
    model.eval()
    assert isinstance(splits.test, Images)
    spec, robust = _halving(model, splits.test)
    return Victim(model, splits.test, spec, robust)


def _halving(model: LogitFunction, images: Images) -> tuple[AttackSpec, float]:
    """The attack, of eps 0 to 32, after which the share of standing images is closest to half."""
    _, some, labels = next(images.evaluation_batches(200))
    found: dict[float, float] = {}
    low, high = 0.0, 32.0
    for _ in range(6):
        eps = (low + high) / 2
        found[eps] = _standing(model, some, labels, pgd20(eps))
        low, high = (eps, high) if found[eps] > 0.5 else (low, eps)
    eps = min(found, key=lambda e: abs(found[e] - 0.5))
    return pgd20(eps), found[eps]


def _standing(model: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec) -> float:
    adversarial = run_attack(model, images, labels, spec, generator("benchmark attack"))
    return float(correct(model, adversarial, labels).float().mean())
