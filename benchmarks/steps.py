"""One step of adversarial search in three ways: ours, the limit, the released structure.

The limit is the same arithmetic on plain dense convolutions: attack gradients towards the
input only, one full backward pass, nothing masked. The released structure sorts all scores
in every forward pass and computes score gradients in every attack step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from rst_core.device.arithmetic import training_step
from rst_core.models.networks import (
    Classifier,
    build_classifier,
    draw_weights,
    prunable_weights,
    to_device,
)
from rst_core.settings import NetworkSettings, training_attack
from rst_core.training.loop import step
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, Init, Pattern, Precision, SearchMethod

EPS, STEP_SIZE, STEPS = 8 / 255, 2 / 255, 7

Step = Callable[[Tensor, Tensor], object]


def network(
    width: float, device: torch.device, precision: Precision = Precision.FLOAT32
) -> Classifier:
    """A random PreActResNet-18 on ``device``, in the memory format that is fast there."""
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=width)
    model = build_classifier(settings, 10, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    return to_device(model, device, precision)


def batch(size: int, pixels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random images in [0, 1], channels last, and random labels."""
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(size, 3, pixels, pixels, generator=rng)
    labels = torch.randint(10, (size,), generator=rng)
    return images.contiguous(memory_format=torch.channels_last).to(device), labels.to(device)


def _sgd(variables: Iterable[Tensor]) -> torch.optim.SGD:
    """No step size: the steps that are compared must not change what the next one does."""
    return torch.optim.SGD(variables, lr=1e-12, momentum=0.9, weight_decay=5e-4)


def ours(
    model: Classifier,
    keep_ratio: float = 0.2,
    *,
    precision: Precision = Precision.FLOAT32,
) -> Step:
    """The project's own training step on a mask search."""
    trainee = MaskTrainee(model, keep_ratio, Pattern.ELEMENT, seed=0)
    optimiser = _sgd(trainee.variables.values())
    inner = training_attack(SearchMethod.PGD7, 8.0)
    device = next(iter(trainee.variables.values())).device
    rng = torch.Generator(device=device).manual_seed(0)
    overrun = torch.full((), -1.0, device=device)
    model.train()

    def run(images: Tensor, labels: Tensor) -> None:
        with training_step(precision, device):
            step(trainee, optimiser, images, labels, inner, rng, overrun)

    return run


def limit(model: Classifier, *, precision: Precision = Precision.FLOAT32) -> Step:
    """Adversarial training of plain dense convolutions, with nothing to spare."""
    parameters = list(prunable_weights(model).values())
    optimiser = _sgd(parameters)
    model.train()

    def run(images: Tensor, labels: Tensor) -> None:
        with training_step(precision, images.device):
            for parameter in parameters:
                parameter.requires_grad_(False)
            adversarial = _attack(model, images, labels)
            for parameter in parameters:
                parameter.requires_grad_(True)
            loss = F.cross_entropy(model(adversarial).float(), labels)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()

    return run


def _attack(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """PGD-7, whose backward passes reach whatever of the model requires a gradient."""
    noise = torch.empty_like(images).uniform_(-EPS, EPS)
    current = (images + noise).clamp(0, 1)
    for _ in range(STEPS):
        current = current.detach().requires_grad_(True)
        torch.autograd.backward(F.cross_entropy(model(current).float(), labels))
        assert current.grad is not None
        moved = current.detach() + STEP_SIZE * current.grad.sign()
        current = torch.min(torch.max(moved, images - EPS), images + EPS).clamp(0, 1)
    return current


class _SortedMask(nn.Module):
    """A parametrization that sorts the layer's scores whenever its weight is asked for."""

    def __init__(self, weight: Tensor, keep_ratio: float) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.rand_like(weight))
        self.keep_ratio = keep_ratio

    def forward(self, weight: Tensor) -> Tensor:
        mask: Tensor = _SortAndMask.apply(self.scores.abs(), self.keep_ratio)  # type: ignore[no-untyped-call]
        return mask * weight


class _SortAndMask(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores: Tensor, keep_ratio: float) -> Tensor:  # type: ignore[no-untyped-def]
        order = scores.flatten().argsort()
        mask = torch.ones_like(order, dtype=scores.dtype)
        mask[order[: int((1 - keep_ratio) * len(order))]] = 0
        return mask.view(scores.shape)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        return grad, None


def released(model: Classifier, keep_ratio: float = 0.2) -> Step:
    """The released method's cost structure, in its own precision and memory format."""
    model.memory_format = torch.contiguous_format
    model = model.requires_grad_(False).to(memory_format=model.memory_format)  # type: ignore[call-overload]
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    scores: list[Tensor] = []
    for layer in layers:
        mask = _SortedMask(layer.weight, keep_ratio)
        parametrize.register_parametrization(layer, "weight", mask)
        scores.append(mask.scores)
    optimiser = _sgd(scores)
    model.train()

    def run(images: Tensor, labels: Tensor) -> None:
        with training_step(Precision.TF32, images.device):
            adversarial = _attack(model, images.contiguous(), labels)  # scores' gradients, too
            optimiser.zero_grad()
            torch.autograd.backward(F.cross_entropy(model(adversarial), labels))
            optimiser.step()

    return run
